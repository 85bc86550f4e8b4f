{
  "artifact": "profile",
  "name": "gate_terminal",
  "version": "1.0.0",
  "sha256": "87e3a7354c3383199619dd8f19692e60c826e5cd62f561c91b3808f8aff4bffb",
  "size_bytes": 644,
  "signed_at": "2026-11-22T11:29:24Z",
  "key": "3af9d4d5d5a03b1fe44a784aa398dd3a2c35f772e73efc20358788dc9b5a86bd",
  "sig": "iL30xL/5L9KKUU2TDQlOrRPxPVFPG/ZeTSibSk7FM1Y2x8etVKbF9OF764cFXrNyqKN6OxI5kqqd+gKYgMqkAg=="
}
