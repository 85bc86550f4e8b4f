{
  "artifact": "profile",
  "name": "ocpp16_pile",
  "version": "1.1.0",
  "sha256": "241b0fba46cb73b9ad31c9cf781701ba0ddf65014653effd6ab88ae9e0df570e",
  "size_bytes": 807,
  "signed_at": "2026-11-22T12:10:35Z",
  "key": "3af9d4d5d5a03b1fe44a784aa398dd3a2c35f772e73efc20358788dc9b5a86bd",
  "sig": "+A1BX7v9IEoUomWGmzmW6BDHb7EEiAWIyZoRgleQZsLexOzH/o1PZNyzQD4aDsDldJt4K2XjveRlEPCR4wtyDw=="
}
