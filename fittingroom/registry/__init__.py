"""The registry: models that are kept (``registry``), may serve (``gates``, ``admission``) and serve (``serving``)."""
