{
  "artifact": "profile",
  "name": "power_meter",
  "version": "1.0.0",
  "sha256": "9996c5e62c52c95739c9ec5ae0e2424cd42c2d1c2177b3348276f5430d570dac",
  "size_bytes": 751,
  "signed_at": "2026-11-22T11:29:24Z",
  "key": "3af9d4d5d5a03b1fe44a784aa398dd3a2c35f772e73efc20358788dc9b5a86bd",
  "sig": "o2k5/iP9JrIv2ls6ZRuXfrEdkeStkDkKhPX2HyraIGyJER2Aurto8xhwrtFZzZkU3uSiHPmQ1SHerimCGn5oDw=="
}
