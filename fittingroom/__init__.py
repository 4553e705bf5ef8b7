"""Fittingroom: virtual try-on as a pipeline.

The library's map (each part is usable alone; nothing here knows of Prefect, and importing this package loads no torch):

=====================  =============================================================================
``errors``             the error tree and its exit codes
``redaction``          passwords and keys hidden in whatever is shown or written
``names``              file names that are not UTF-8, in other letters or capitals
``settings``           workspace root, device, tracking URI, schedules (``FITTINGROOM_*``, ``fittingroom.toml``)
``workspace``          every path the pipeline writes; atomic writes; content digests
``outputs``            where a command is told to write, looked at before any work is done
``ports``              a port to listen on
``extras``             what only some commands need, asked for before they begin
``workers``            work on pictures from outside in processes that can be ended
``cores``              how many cores and threads to take: what was asked, the quota, the affinity
``locks``              one at a time, between processes; a killed holder holds nothing
``boxes masks images`` geometry and safe decoding (``signatures`` names what is no picture)
``domain``             photo or rendered sample world: what pictures show and models learnt from
``categories``         DeepFashion2's 13 categories
``garment``            a garment instance found in a picture
``manifest``           one row for every picture: what happened to it and why
``shards``             splitting files by content, so that one new picture changes one shard
``datasets``           where a dataset's pictures lie, also after its workspace was moved
``catalog``            styles and where their pictures come from (``catalog_yaml`` reads the file, lines kept)
``crawl``              sources, polite fetcher, duplicates
``cutout``             any photo -> garment only on white, or a reason why not
``prepare``            square, 256, flip
``annotations``        DeepFashion2, COCO and VIA; selection; validation
``training``           what both trainers share: checkpoints, progress, jobs, weights files
``segmentation``       Mask R-CNN: where the garments are
``translation``        CycleGAN: one per style
``styles``             colour and pattern of a garment, the registry, the gates, what serves
``tryon``              the ten steps from photo to picture
``starter``            models that come with the package and answer until one's own serve
``sample``             the rendered sample world, so that all of it runs offline
``app``                the try-on page
``tracking``           a training's curves, sheets and settings in MLflow while it learns
``retention``          personal pictures are deleted when their time has come
``cli``                the command line
``served``             settings of served deployments: checked, and where each comes from
``doctor``             what is installed, reachable and missing
``entrypoints``        where a served run finds its flow, whatever the current folder holds
=====================  =============================================================================
"""

__version__ = "0.1.0"
