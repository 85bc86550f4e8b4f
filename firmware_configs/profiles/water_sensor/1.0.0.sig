{
  "artifact": "profile",
  "name": "water_sensor",
  "version": "1.0.0",
  "sha256": "8075abeac3bf2602fa093c203610593babdbbc57d24e314fe4f5bb84a5366f88",
  "size_bytes": 513,
  "signed_at": "2026-11-22T11:29:24Z",
  "key": "3af9d4d5d5a03b1fe44a784aa398dd3a2c35f772e73efc20358788dc9b5a86bd",
  "sig": "43I+cqki6fDhh9UvRpGGBkpE5zFaxU/hZQJ7gB8gzro0+AC1eSpCDz48EeyPTHrr11OA4fodJMcA7fNrohPkBg=="
}
