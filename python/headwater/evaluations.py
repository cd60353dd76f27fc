"""Evaluations: what a model was worth on some data, and on parts of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional, Union

from headwater import artifacts, provenance, recorder, vocabulary
from headwater.store import Store
from ml_metadata.proto import metadata_store_pb2 as pb


def evaluation(
    model: Any,
    data: Any,
    metrics: Mapping[str, float],
    *,
    slices: Optional[Mapping[str, Mapping[str, float]]] = None,
    name: str = "evaluate",
    params: Optional[Mapping[str, Any]] = None,
    store: Union[str, Store, None] = None,
) -> recorder.Run:
    """Records an evaluation as a run of its own, which is part of the current one.

    Args:
      model: as for :func:`headwater.model`, or what that made, or an id.
      data: likewise for :func:`headwater.dataset`.
      metrics: by name.
      slices: the metrics of parts of the data, as in ``{"country=DE": {"accuracy": 0.9}}``.
      name: what the run is called.
      params: as for :meth:`Run.log_params`.
      store: as for :func:`headwater.run`.

    Returns:
      The run, which has ended.
    """
    flat = {f"{vocabulary.METRIC}{metric}": float(of) for metric, of in metrics.items()}
    for part, of_part in (slices or {}).items():
        for metric, of in of_part.items():
            flat[f"{vocabulary.SLICE}{part}.{vocabulary.METRIC}{metric}"] = float(of)
    evaluated = artifacts.of(model, "model")
    used = artifacts.of(data, "dataset")
    with recorder.run(name, kind="evaluate", params=params, store=store) as run:
        run.input(evaluated, "model")
        run.input(used, "evaluation")
        run.log_metrics(metrics)
        run._sender.link(_Metrics(flat), pb.Event.OUTPUT, "metrics", [evaluated, used])
    return run


class _Metrics:
    """The artifact that an evaluation makes."""

    def __init__(self, properties: Mapping[str, float]) -> None:
        self._properties = properties
        self._id: Optional[int] = None

    def register(self, store: Store) -> int:
        if self._id is None:
            type_id = provenance.artifact_type(store, *vocabulary.METRICS)
            made = pb.Artifact(type_id=type_id, state=pb.Artifact.LIVE)
            for name, of in self._properties.items():
                made.custom_properties[name].double_value = of
            self._id = int(store.put_artifacts(artifacts=[made]).artifact_ids[0])
        return self._id

    def __repr__(self) -> str:
        return "<the metrics of an evaluation>"
