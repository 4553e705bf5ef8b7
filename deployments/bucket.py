"""``python -m deployments.bucket NAME``: make a bucket in the S3-style store, where it is not there yet."""

from __future__ import annotations

import contextlib
import os
import sys

from fittingroom.errors import InputError
from fittingroom.extras import need_extra


def make_bucket(name: str) -> None:
    """Make the bucket in the store that ``MLFLOW_S3_ENDPOINT_URL`` and the AWS variables name."""
    import boto3

    store = boto3.client("s3", endpoint_url=os.environ.get("MLFLOW_S3_ENDPOINT_URL"), region_name="us-east-1")
    with contextlib.suppress(store.exceptions.BucketAlreadyOwnedByYou, store.exceptions.BucketAlreadyExists):
        store.create_bucket(Bucket=name)


def main(arguments: list[str]) -> int:
    """Make the bucket that is named, after a look at what it takes: 2 and a line where something is missing."""
    try:
        if len(arguments) != 1 or not arguments[0].strip():
            raise InputError("expected a bucket's name: python -m deployments.bucket NAME")
        need_extra("production", "making a bucket")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    make_bucket(arguments[0])
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
