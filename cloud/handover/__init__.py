"""The record of a change of shift (交接班记录): how things stand, drawn up by the system, given by who goes, taken by who comes.

`gathering` reads how things stand, `records` draws them up, has them confirmed by two persons and keeps them, `model` is what they are
made of. What passes on the rota itself is `cloud.organisation.handover`'s.
"""
