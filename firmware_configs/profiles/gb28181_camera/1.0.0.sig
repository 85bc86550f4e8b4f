{
  "artifact": "profile",
  "name": "gb28181_camera",
  "version": "1.0.0",
  "sha256": "eac212e80425b29902743449717aa2f958cb1c8f24de0a269af5802d887445f4",
  "size_bytes": 447,
  "signed_at": "2026-11-22T11:29:24Z",
  "key": "3af9d4d5d5a03b1fe44a784aa398dd3a2c35f772e73efc20358788dc9b5a86bd",
  "sig": "EiuxFR97hqBu+rq9qkJymLbNYU64RFVXpPwCDpelinIihrOu0EvgBmM0iDV+K4BrsAWkpDVLhNA18ZyzZNl4AQ=="
}
