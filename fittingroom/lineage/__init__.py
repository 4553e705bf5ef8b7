"""Lineage: from a result or a model to the pictures it learnt from, from a picture to the models that did, and out.

::

    Tracer.of(workspace).trace("red-solid")       result -> versions -> training -> pictures -> addresses -> catalog
    uses_of(workspace, registry, pictures)        picture -> every version that learnt from it, or was judged on it
    withdraw(workspace, registry, ...)            the picture and all that was made of it go, and the styles are pending

Nothing is kept for it but what the stages write anyway: manifests, the list of pictures next to a training's weights,
and the registry.
"""
