{
  "artifact": "profile",
  "name": "ocpp16_pile",
  "version": "1.1.0",
  "sha256": "9e5ea60f2c9a38c47bd196d78bca3a9afd5959ba4653abca78488c2fe2e707c8",
  "size_bytes": 661,
  "signed_at": "2026-11-22T11:29:24Z",
  "key": "3af9d4d5d5a03b1fe44a784aa398dd3a2c35f772e73efc20358788dc9b5a86bd",
  "sig": "Riz7ZKfSUH3ZQm8a/290d6JALUPTFQB67VhV7Q3FJapgjSy6l/xm6p/7RQeEWIjZtMZQqOUmzA67BQJUZZVJAw=="
}
