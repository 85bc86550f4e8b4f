{
  "artifact": "profile",
  "name": "ebike_pile",
  "version": "1.0.0",
  "sha256": "719d1c577a2eacf5a43d32d3d90f4de78829e250f233c129e527275009341818",
  "size_bytes": 836,
  "signed_at": "2026-11-22T11:49:41Z",
  "key": "3af9d4d5d5a03b1fe44a784aa398dd3a2c35f772e73efc20358788dc9b5a86bd",
  "sig": "hWHIjM1/8dTfbJRaCYnniGDyHStsO/RU/1tCuQAQP/d+4t5PX+JaFCl3r6zVE9POv+ucOcvyg+6okJbDPL/zCg=="
}
