{
  "artifact": "profile",
  "name": "smoke_sensor",
  "version": "1.0.0",
  "sha256": "94bb0af87c8c3a7021f6fc543e9debb703b0a4f7762875f054902137532417a7",
  "size_bytes": 365,
  "signed_at": "2026-11-22T11:29:24Z",
  "key": "3af9d4d5d5a03b1fe44a784aa398dd3a2c35f772e73efc20358788dc9b5a86bd",
  "sig": "RO5T8xJ7djEKHQI77s+852nYIM6iHfF2+5thXy+XZ6Ux3z3aqNqcU7pt7S32zz+MhOo33RZrdJIFpxOxUmcoDQ=="
}
