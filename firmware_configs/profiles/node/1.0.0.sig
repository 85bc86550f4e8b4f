{
  "artifact": "profile",
  "name": "node",
  "version": "1.0.0",
  "sha256": "232d0489348f3762a4c0f370ed9aac3e3290987b64a3280d9f920bbd38225712",
  "size_bytes": 355,
  "signed_at": "2026-11-22T11:29:24Z",
  "key": "3af9d4d5d5a03b1fe44a784aa398dd3a2c35f772e73efc20358788dc9b5a86bd",
  "sig": "rc2nleyt0S8+7upCkaJxjcy6oWMI/YKhqZ1lOqwDylZqZglizxYuAmTsf5IOml08Vxkxq9fpLfAkbxHLrRX7Aw=="
}
