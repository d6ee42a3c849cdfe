"""The dedicated model server: the Open Inference Protocol over REST, without Django or a database.

`app` is the RSGI application, `inference` the way of one call through it, `tensors`, `binary`,
`outputs` and `metadata` the protocol, `shelf` the models, `keyring` who may ask, `process` one
server process with all that runs beside its requests. `berth serve` (berth.cli) starts it.
"""
