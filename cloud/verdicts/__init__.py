"""Verdicts (核实结论): what people found on the spot is the label from which rules and models learn.

Each verification becomes a verdict on the incidents that were in the case at that moment: `confirm` → `true`; `dismiss` → `false_alarm`
with its reason, or `duplicate` (true, but known) or `test`; `inconclusive` → `unsure`. Opening a case again to verify it anew, or voiding
it, takes the verdict back. `model` replays that from the history of cases; `settling` keeps the result in a table, which can be thrown away.

`precision` counts judgements by camera × rule (version) × model (version) × local hour, `advice` weighs thresholds, `proposals` carry them
to whoever makes the next profile, `export` writes the labelled set.

The labelled set, `gridward-verdicts/1`, is a zip of

- `images/{train,val,test}/<sha256>-<incident>.jpg`: masked snapshots, byte by byte as the node sent them;
- `annotations.json`: COCO with `images`, `annotations`, `categories`. Of an image also `sha256`, `split`, `node`, `device`, `case`,
  `incident_kind`, `severity`, `verdict`, `reason`, `sight`, `judged_at`, `rule`, `model`, `simulated`, `drill`. `sight` is what the picture
  says of a model: `there` (also where a resident was taken for a stranger), `not_there` (a hard negative), `unknown` (leave it out of
  training). An annotation's box is where the track was at the time of the picture; without a track near it there is an image and no box;
- `manifest.json`: format, who exported it when and for what purpose, what was asked for, the counts by verdict and split, what was left out
  and why, and a warning: only what somebody went to see has a verdict, so shares in this set are not those of all that was told.

A camera's day lies in one split alone, and in the same one in every export. Pictures of one incident in several cases come once.
"""
