"""MLflow's client for an existing store: reading never creates one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from nnexp.process import collection_paused
from nnexp.tracking.locations import StoreError, conceal, database, look, public, resolve

PAGE = 1000


class Source(NamedTuple):
    """A store that is read: MLflow's client and the store's absolute URI, without a password."""

    client: Any
    uri: str


def connect(uri: str | None) -> Source:
    """The store at ``uri``; None for ``MLFLOW_TRACKING_URI``, else ``runs/mlflow.db`` here.

    In addition to an SQLite file and a server it may be a server's database, ``postgresql+psycopg2://...``, which can
    be read but not written by this package.

    Raises:
        StoreError: there is no such file, or this version of MLflow cannot read it.
    """
    given = conceal(uri or os.environ.get("MLFLOW_TRACKING_URI", ""))
    store = given if given.startswith("postgresql") else resolve(uri)
    file = database(store)
    if file is not None and not file.exists():
        raise StoreError(f"tracking.uri={store}: there is no such file; the first run creates it")
    look(store)
    with collection_paused():
        # MLflow takes more than a second to import, and only the functions of this package need it.
        from nnexp.tracking import mlflow_store

        try:
            return Source(mlflow_store.open_client(store), store)
        except Exception as error:
            # Such as a store of another version of MLflow.
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise StoreError(f"tracking.uri={public(store)}: expected an MLflow store ({first})") from error


def find_experiment(source: Source, name: str) -> Any:
    """MLflow's experiment of this name.

    Raises:
        StoreError: there is none.
    """
    found = source.client.get_experiment_by_name(name)
    if found is None:
        raise StoreError(
            f"tracking.experiment={name}: there is no experiment of this name in {public(source.uri)}"
        )
    return found


def search(source: Source, experiment_id: str, condition: str = "", deleted: bool = False) -> Iterator[Any]:
    """The runs that meet a condition, in order of their start, with one query a page."""
    token = None
    while True:
        # MLflow makes a hundred objects a run, and Python would look through all of them again and again.
        with collection_paused():
            page = source.client.search_runs(
                [experiment_id],
                condition,
                # MLflow's ViewType: its names are not needed for two numbers, nor its import.
                run_view_type=2 if deleted else 1,
                max_results=PAGE,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
        yield from page
        token = page.token
        if not token:
            return
