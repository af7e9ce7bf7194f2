"""A server of the committed model: the Open Inference Protocol, version 2, over HTTP, on loopback or a Unix socket.

One process accepts connections and keeps a queue; a worker process a core holds the model. Connections belong to the
first, so that a crash of a runtime, a commit or a rollback loses no request.
"""
