{
  "artifact": "profile",
  "name": "ocpp16_pile",
  "version": "1.0.0",
  "sha256": "118cfb1029dd4787c25301aaa90b4f82bb498c214e0ddad46c360aa54d2db30d",
  "size_bytes": 622,
  "signed_at": "2026-11-22T11:29:24Z",
  "key": "3af9d4d5d5a03b1fe44a784aa398dd3a2c35f772e73efc20358788dc9b5a86bd",
  "sig": "e5nRzfIHkRwwkkc2TR8kIJ0zF6Sd8GvbY0xiIaf5Njci2zo0qHY2c8FmTW8afNi3bBr5ecYi+i1QbkAXPdjKCA=="
}
