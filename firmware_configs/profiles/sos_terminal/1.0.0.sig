{
  "artifact": "profile",
  "name": "sos_terminal",
  "version": "1.0.0",
  "sha256": "966277347e9e2db03fa721fb53c0831916cb93c28e0121a6bf3ee1dcd1d5371e",
  "size_bytes": 665,
  "signed_at": "2026-11-22T11:59:22Z",
  "key": "3af9d4d5d5a03b1fe44a784aa398dd3a2c35f772e73efc20358788dc9b5a86bd",
  "sig": "H3wykskpYz0or5BhPesSNUmC+TBGAbWO4bIWI9lhHjzRn6MwoPDZjq+zX/8QBiQKIMc52Pt89cc3bd5zYsQiCw=="
}
