{
  "artifact": "profile",
  "name": "rtsp_camera",
  "version": "1.0.0",
  "sha256": "3e36a310f7d0b51d9d1e76d42924a113baaf8838c550bd8f3899b0b16bdcba9c",
  "size_bytes": 473,
  "signed_at": "2026-11-22T11:29:24Z",
  "key": "3af9d4d5d5a03b1fe44a784aa398dd3a2c35f772e73efc20358788dc9b5a86bd",
  "sig": "k805/F6wdLINZq9tRzurtOIjc/rR3GBhq1DdFAd+540Ubu1xcFunGauDnyACRPiqiDp+SnNqhfP611oJugmUAw=="
}
