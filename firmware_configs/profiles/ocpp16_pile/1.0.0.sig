{
  "artifact": "profile",
  "name": "ocpp16_pile",
  "version": "1.0.0",
  "sha256": "4dab9fb8fc3aac3088f86310e477cb1263404f326fc8664a6ec36b0c9756a1cf",
  "size_bytes": 768,
  "signed_at": "2026-11-22T12:10:35Z",
  "key": "3af9d4d5d5a03b1fe44a784aa398dd3a2c35f772e73efc20358788dc9b5a86bd",
  "sig": "gvPSD3Mp2IyEpVq01SH7NF6w0D9z7JCT9zoni5xjryyvHei3raYi+4znHOLd3TpwALspezjejNbDLcdhLHPRBg=="
}
