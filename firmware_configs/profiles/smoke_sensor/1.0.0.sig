{
  "artifact": "profile",
  "name": "smoke_sensor",
  "version": "1.0.0",
  "sha256": "a5c4edecc3ad42ba34d759d799730548b6accfee000420ccbc3a2b8318b18a27",
  "size_bytes": 343,
  "signed_at": "2026-11-22T12:10:35Z",
  "key": "3af9d4d5d5a03b1fe44a784aa398dd3a2c35f772e73efc20358788dc9b5a86bd",
  "sig": "nTFfFqA2RY3k037iHGPlAyjn+COaGUFlaatPJSiudl7pW+GN4qsTpln2LioQ093yQuhOUZ8datQpArC9VIhzAQ=="
}
