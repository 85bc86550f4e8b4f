{
  "artifact": "profile",
  "name": "ykc_pile",
  "version": "1.1.0",
  "sha256": "8c8ef901d39fcd48eb8ae6fabd4367e79e5053c36dab77d2dfdb1c27ddda14b8",
  "size_bytes": 630,
  "signed_at": "2026-11-22T11:29:24Z",
  "key": "3af9d4d5d5a03b1fe44a784aa398dd3a2c35f772e73efc20358788dc9b5a86bd",
  "sig": "O8EoZP+q7qGealSFFxRNdpxXTa4ApEwQrKZFz5Qfl64crggA+T88J45sr2t/FN4yroyLcqInPYicIa+Ysho1Bg=="
}
