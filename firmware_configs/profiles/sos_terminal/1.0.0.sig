{
  "artifact": "profile",
  "name": "sos_terminal",
  "version": "1.0.0",
  "sha256": "e2dc49a201c2c38f04d87e0a1fc38aeb8d270656f560d14a40daf73de8a5727f",
  "size_bytes": 653,
  "signed_at": "2026-11-22T11:29:24Z",
  "key": "3af9d4d5d5a03b1fe44a784aa398dd3a2c35f772e73efc20358788dc9b5a86bd",
  "sig": "m60hGPxh1no9a3Jzr/FisBnSMF1UqIgQD3mnGgHd8AkzLDo037LglO5w5OAD9X3socmShefFFOvaTohFlD55CA=="
}
