"""Fittingroom: virtual try-on as a pipeline.

The library's map (each part is usable alone; nothing here knows of Prefect, and importing this package loads no torch):

=====================  =============================================================================
``errors``             the error tree and its exit codes
``redaction``          passwords and keys hidden in whatever is shown or written
``names``              file names that are not UTF-8, in other letters or capitals
``fields``             settings classes whose ranges and choices stand at the field
``settings``           workspace root, device, tracking URI, schedules (``FITTINGROOM_*``, ``fittingroom.toml``)
``workspace``          every path the pipeline writes; atomic writes; content digests
``outputs``            where a command is told to write, looked at before any work is done
``ports``              a port to listen on
``extras``             what only some commands need, asked for before they begin
``workers``            work on pictures from outside in processes that can be ended
``cores``              how many cores and threads to take: what was asked, the quota, the affinity
``locks``              one at a time, between processes; a killed holder holds nothing
``boxes masks``        geometry
``opening``            which pictures from outside are accepted (``signatures`` names what is no picture)
``images``             pictures as arrays, and back
``domain``             photo or rendered sample world: what pictures show and models learnt from
``categories``         DeepFashion2's 13 categories
``style_card``         what a style is: name, colour, pattern, category
``garment``            a garment instance found in a picture
``sheets``             contact sheets: many pictures to look at as one
``manifest``           one row for every picture: what happened to it and why
``framing``            a garment in the middle of a square
``shards``             splitting files by content, so that one new picture changes one shard
``datasets``           where a dataset's pictures lie, also after its workspace was moved
``catalog``            styles and where their pictures come from (``catalog_yaml`` reads the file, lines kept)
``crawl``              sources, polite fetcher, duplicates
``cutout``             any photo -> garment only on white, or a reason why not
``preparing``          square, 256, flip; garments that people wear
``annotations``        DeepFashion2, COCO and VIA; selection; validation
``checks``             whether what a stage gave is fit for the next
``training``           the training loop, checkpoints, progress, jobs, weights files
``segmentation``       Mask R-CNN: where the garments are
``translation``        CycleGAN: one per style
``appearance``         colours and pattern of a garment, the nearest style
``registry``           versions of models: gates, admission, champions, what serves
``tryon``              the ten steps from photo to picture
``sample``             the rendered sample world, so that all of it runs offline
``api_keys``           keys of the API: made, read, compared
``app``                the try-on page, and the API of shops
``lineage``            from a model to the pictures it learnt from, back, and out
``train_and_admit``    a training, its figures and its gate in one call
``retention``          personal pictures are deleted when their time has come
``cli``                the command line
``served``             settings of served deployments: checked, and where each comes from
``doctor``             what is installed, reachable and missing
``moved``              modules that answer under their old names until 0.3.0
``entrypoints``        where a served run finds its flow, whatever the current folder holds
=====================  =============================================================================
"""

from fittingroom.moved import install

__version__ = "0.2.0"

install()
