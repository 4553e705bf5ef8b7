"""``python -m deployments.bucket NAME``: make a bucket in the S3-style store, where it is not there yet."""

from __future__ import annotations

import os
import sys


def make_bucket(name: str) -> None:
    """Make the bucket in the store that ``MLFLOW_S3_ENDPOINT_URL`` and the AWS variables name."""
    import boto3

    store = boto3.client("s3", endpoint_url=os.environ.get("MLFLOW_S3_ENDPOINT_URL"), region_name="us-east-1")
    try:
        store.create_bucket(Bucket=name)
    except (store.exceptions.BucketAlreadyOwnedByYou, store.exceptions.BucketAlreadyExists):
        return


if __name__ == "__main__":
    make_bucket(sys.argv[1])
