-- PostgreSQL's own container runs this once, for an empty data folder: the registry's database beside Prefect's.
CREATE DATABASE mlflow OWNER prefect;
