{
  "artifact": "profile",
  "name": "ykc_pile",
  "version": "1.0.0",
  "sha256": "0f2c66c5c56ac656ed1c1c34997273bf76be021eb703f8294884d0ae95f7bb42",
  "size_bytes": 597,
  "signed_at": "2026-11-22T11:29:24Z",
  "key": "3af9d4d5d5a03b1fe44a784aa398dd3a2c35f772e73efc20358788dc9b5a86bd",
  "sig": "BosggiwPxlgxFqyhudWup5g8azZQ068Kc5MqNpeFQTX9FK5XUsvqQZV1kdOUItw0bWVbQAeHDc+E7rsGbqHpCg=="
}
