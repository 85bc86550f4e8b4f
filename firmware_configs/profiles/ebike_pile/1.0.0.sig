{
  "artifact": "profile",
  "name": "ebike_pile",
  "version": "1.0.0",
  "sha256": "cbf9c88b3a7b5c7aeb7094a907c302d7040f7b5e26bcc6dc62c43d5bc4a416ef",
  "size_bytes": 819,
  "signed_at": "2026-11-22T11:52:52Z",
  "key": "3af9d4d5d5a03b1fe44a784aa398dd3a2c35f772e73efc20358788dc9b5a86bd",
  "sig": "Mkh+hmnDNaQsSEbCxsb2KvCFGz7Bp+kzAPcOP73/C3S4IVTtz/X1JXIQYYPsG4H7SgVfq1uoSoc4O4uF+x9RCA=="
}
