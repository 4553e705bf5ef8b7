"""What vulture takes for dead and is not: names that others call or read. Never imported; checked by `make check`."""
# ruff: noqa: B018, F821

# Entry points of pyproject.toml, and the modules' own lookup of names.
flow_help
run_flow
__getattr__

# Called or read by the libraries whose classes have them: Prefect,
_.compute_key
_.duplicate
_.entrypoint
_.handle_sigterm
_.write_path
_._tmp_dir
flow_parameters
# pydantic,
_.get_field_value
_.model_config
_.settings_customise_sources
field_name
file_secret_settings
# Click and Rich,
_.caption
_.caption_justify
_.format_commands
# urllib3, Requests, ada,
_._new_conn
_.hash
_.pool_classes_by_scheme
_.proxy_manager_for
_.response_class
_.trust_env
proxy
proxy_kwargs
# Starlette, the Prometheus client, logging,
_.is_allowed_origin
_.collect
_.handlers
_.propagate
# torch and torchvision,
_.box_predictor
_.map_levels
_.postprocess_detections
_.stage0
# and the standard library.
_.__class__
_.__signature__
_.close_connection
_.daemon_threads
_.data_received
_.do_GET
_.do_HEAD
_.exc_text
_.filename2
_.handle_error
_.log_message
_.protocol_version
_.raiseExceptions
client_address
trace

# Part of a cache's key.
changed_ns

# Fields that go out as JSON, into a manifest or a page, or are read by name.
_.already_done
_.ap
_.ap50
_.ap75
_.box_ious
_.changed_pixels
_.created_at
_.fetched_at
_.hair_changed
_.largest_difference
_.outside_pixels
_.remarks
_.result_url
_.sample_url
_.expires_at
_.en
_.ko
_.seconds_per_photo
_.skin_changed
_.weights_bytes
_.clean_up
_.retrain_styles
_.try_on_batch
catalog_licences
catalog_names
catalog_offered
catalog_sources
crawl_kept
crawl_refused
cut_out_colours
cut_out_kept
training_balance
training_leak

# Kinds of sources of the crawler: found by their module (`fittingroom.crawl.sources`).
_.__init_subclass__
Folder
Pages
Search
Urls

# An attribute of Prefect's client that is set (`deployments.patience`).
_._has_connected

# What Python's import system calls (`fittingroom.moved`).
_.find_spec
_.create_module
_.exec_module
