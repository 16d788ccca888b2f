"""The wall between 3D Slicer and the worker process: jobs go in as a folder, events come out as JSON lines.

Slicer's own process imports this file, so it needs the standard library alone.

A job folder holds ``job.json`` (:class:`Job`) and ``input.npy``, the voxels as ``(phases, slices, rows, columns)``
in their own data type. The worker adds, phase by phase, ``dense_NNN.npy`` ``(slices, rows, columns)`` in the input's
data type and, on request, ``uncertainty_NNN.npy`` (float32, in the input's intensity units). A result file is
complete as soon as its :class:`PhaseFinished` event is seen.

A job that measures may bring ``drawn.npy``, labels that a person has drawn; the worker adds all labels, named in a
:class:`Measured` event.

A job that reconstructs a stack with long axes has them in files of their own, named in :class:`LongAxisFacts`.

A job that opens a study has a :class:`StudyJob` and no voxels; the worker adds those of each view, named in a
:class:`ViewRead` event.

Every event is one line on stdout: a JSON object whose ``"event"`` names its type. Anything else a library prints
goes to stderr. The worker watches its stdin and ends, removing the job folder, when its parent closes it or dies.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from calid.options import Options

PROTOCOL_VERSION = 5

INPUT_FILE = "input.npy"
JOB_FILE = "job.json"
DRAWN_FILE = "drawn.npy"

RECONSTRUCT = "reconstruct"
SELF_CHECK = "self-check"
MEASURE = "measure"
OPEN_STUDY = "open study"


@dataclass(frozen=True)
class HeartFacts:
    """What a job of :data:`MEASURE` is told of a heart beside its images.

    :param height_cm: with ``weight_kg`` and ``rr_ms`` as :class:`calid.measurement.body.Body` takes them.
    :param papillary: ``"cavity"`` or ``"wall"``, where papillary muscles are counted.
    :param acquired: for every slice of a dense stack the index of the acquired slice it equals, or ``None`` if it is
        synthesised; ``None`` for a stack of which nothing is synthesised.
    :param title: of the report, and ``verdict`` of a self-check that stands in it.
    :param drawn: the phases, from 0, whose labels a person has drawn: ``drawn.npy`` holds them in this order,
        (drawn phases, slices, rows, columns) uint8.
    """

    height_cm: float | None = None
    weight_kg: float | None = None
    rr_ms: float | None = None
    papillary: str = "cavity"
    acquired: list[int | None] | None = None
    title: str = ""
    verdict: str = ""
    drawn: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class LongAxisFacts:
    """A long axis of the stack that a job of :data:`RECONSTRUCT` is about.

    :param voxels: file of the job folder with (phases, rows, columns), in step with the stack.
    :param affine: 4 x 4, (i, j, along the normal, 1) to the world of the stack.
    :param thickness: mm that it averages over, ``None`` where nothing says it.
    """

    voxels: str
    affine: list[list[float]]
    thickness: float | None = None


@dataclass(frozen=True)
class Job:
    """What to reconstruct, to check or to measure.

    :param frame: 4 x 4 matrix from (i, j, mm along the slice axis, 1) to world millimetres; RAS when Slicer asks.
    :param positions: position of each slice in mm along the slice axis, increasing from 0.
    :param options: what the user chose.
    :param task: :data:`RECONSTRUCT`; or :data:`SELF_CHECK`, which heeds only ``seed``, ``device`` and ``models``; or
        :data:`MEASURE`, which heeds ``heart`` too.
    :param thickness: mm that each slice averages over, as its source says; ``None`` where that says nothing.
    :param long_axes: of the same study, which refine the shifts.
    """

    frame: list[list[float]]
    positions: list[float]
    options: Options = field(default_factory=Options)
    task: str = RECONSTRUCT
    version: int = PROTOCOL_VERSION
    thickness: float | None = None
    heart: HeartFacts = field(default_factory=HeartFacts)
    long_axes: list[LongAxisFacts] = field(default_factory=list)

    def write(self, folder: str | Path) -> None:
        """Write ``job.json`` into an existing job folder."""
        _write(self, folder)

    @classmethod
    def read(cls, folder: str | Path) -> Job:
        """Read ``job.json``; raises ``ValueError`` for a job of another protocol version."""
        fields = _read(folder)
        parts = {"options": Options(**fields["options"]), "heart": HeartFacts(**fields["heart"])}
        return cls(**{**fields, **parts, "long_axes": [LongAxisFacts(**each) for each in fields["long_axes"]]})


@dataclass(frozen=True)
class StudyJob:
    """Which study to open, and which stack of it.

    :param paths: a folder of any depth, a zip archive, or files.
    :param stack: its number, from 1, as ``calid dicom list`` counts; ``None`` takes the short-axis cine.
    """

    paths: list[str]
    stack: int | None = None
    task: str = OPEN_STUDY
    version: int = PROTOCOL_VERSION

    def write(self, folder: str | Path) -> None:
        """Write ``job.json`` into an existing job folder."""
        _write(self, folder)

    @classmethod
    def read(cls, folder: str | Path) -> StudyJob:
        """Read ``job.json``; raises ``ValueError`` for a job of another protocol version."""
        return cls(**_read(folder))


def read_job(folder: str | Path) -> Job | StudyJob:
    """The job in a folder, whatever its task; raises ``ValueError`` for one of another protocol version."""
    return StudyJob.read(folder) if _read(folder).get("task") == OPEN_STUDY else Job.read(folder)


def _write(job: Job | StudyJob, folder: str | Path) -> None:
    Path(folder, JOB_FILE).write_text(json.dumps(asdict(job)), encoding="utf-8")


def _read(folder: str | Path) -> dict[str, Any]:
    fields = json.loads(Path(folder, JOB_FILE).read_text(encoding="utf-8"))
    if fields.get("version") != PROTOCOL_VERSION:
        raise ValueError(f"job has protocol version {fields.get('version')}, this worker speaks {PROTOCOL_VERSION}")
    return fields


@dataclass(frozen=True)
class Event:
    """Base of all events; ``name`` is the ``"event"`` key of the JSON line."""

    name: ClassVar[str] = ""

    def to_line(self) -> str:
        """One JSON line without the line end."""
        return json.dumps({"event": self.name, **asdict(self)})


@dataclass(frozen=True)
class Started(Event):
    """The model is loaded and the plan is made.

    :param thickness: mm that an acquired slice averages over; ``None`` where it does not matter.
    :param thickness_source: who says so: ``"asked"``, ``"file"`` or ``"assumed"``.
    """

    name: ClassVar[str] = "started"
    model: str
    device: str
    phases: int
    slices_in: int
    slices_out: int
    thickness: float | None = None
    thickness_source: str = ""


@dataclass(frozen=True)
class Progress(Event):
    """``fraction`` of the whole job is done (0..1); ``seconds_left`` is ``None`` until it can be estimated."""

    name: ClassVar[str] = "progress"
    phase: int
    phases: int
    step: int
    steps: int
    fraction: float
    seconds_left: float | None = None


@dataclass(frozen=True)
class PhaseFinished(Event):
    """The named files of the job folder are complete."""

    name: ClassVar[str] = "phase"
    phase: int
    dense: str
    uncertainty: str | None = None


@dataclass(frozen=True)
class Checked(Event):
    """The self-check is complete.

    :param slices: the hidden slices, in order: the fields of :class:`calid.selfcheck.result.HiddenSlice` of each.
    :param predicted: file of the job folder with ``(phases, hidden slices, rows, columns)`` in the input's data type.
    :param acquired_gap: mean distance in mm between acquired slices.
    """

    name: ClassVar[str] = "checked"
    slices: list[dict[str, float]]
    predicted: str
    acquired_gap: float


@dataclass(frozen=True)
class Measured(Event):
    """The heart is measured.

    :param numbers: as :meth:`calid.measurement.result.Measurement.to_dict` gives them.
    :param rows: the same for a table: of what, measure, value, unit, and the ends of the interval, all as text.
    :param labels: file of the job folder with (phases, slices, rows, columns) uint8, the values of
        :mod:`calid.segmentation.labels`.
    :param positions: mm along the slice axis of the slices that are labelled.
    :param report: file of the job folder with a page of HTML.
    """

    name: ClassVar[str] = "measured"
    numbers: dict[str, Any]
    rows: list[list[str]]
    labels: str
    positions: list[float]
    report: str | None = None


@dataclass(frozen=True)
class ViewRead(Event):
    """A view of a study is complete: the stack first, then the long axes of its study, in step with it.

    :param voxels: file of the job folder with ``(phases, slices, rows, columns)``; of a long axis, one slice.
    :param what: in a few words.
    :param description: what the scanner called it, without what patients are called; may be empty.
    :param frame: 4 x 4, from (i, j, mm along the slice axis, 1) to LPS millimetres.
    :param positions: of each slice in mm along the slice axis, increasing from 0.
    :param times: ms of each phase, increasing; ``None`` where they are not known.
    :param thickness: mm that a slice averages over; ``None`` where nothing says it.
    """

    name: ClassVar[str] = "view"
    voxels: str
    what: str
    description: str
    frame: list[list[float]]
    positions: list[float]
    times: list[float] | None = None
    thickness: float | None = None


@dataclass(frozen=True)
class StudyRead(Event):
    """All views are complete.

    :param stack: number of the one that was taken, from 1, and ``stacks``, how many there are.
    :param remarks: sentences that a user should hear of without asking.
    :param report: the study report in lines for people.
    :param patient: ``height_cm``, ``weight_kg`` and ``rr_ms``, as far as the study says them and they can be.
    :param choices: all stacks in words, in the order of their numbers.
    """

    name: ClassVar[str] = "study"
    stack: int
    stacks: int
    remarks: list[str]
    report: str
    patient: dict[str, float] = field(default_factory=dict)
    choices: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Witnessed(Event):
    """How the long axes of the study agree with its result.

    :param views: as :func:`calid.dicom.report.witnesses_as_json` gives them.
    """

    name: ClassVar[str] = "witnesses"
    views: list[dict[str, Any]]


@dataclass(frozen=True)
class Warned(Event):
    """Something the user should know; the job goes on."""

    name: ClassVar[str] = "warning"
    message: str


@dataclass(frozen=True)
class Failed(Event):
    """The job ended without a result. ``kind`` is the class name of a :class:`calid.errors.CalidError`."""

    name: ClassVar[str] = "error"
    kind: str
    message: str
    remedy: str
    exit_code: int


@dataclass(frozen=True)
class Done(Event):
    """All phases are complete.

    :param positions: mm along the slice axis of every slice of the dense stack.
    :param acquired: for every dense slice, the index of the acquired slice it equals, or ``None`` if synthesised.
    """

    name: ClassVar[str] = "done"
    positions: list[float]
    acquired: list[int | None]
    provenance: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    peak_memory_bytes: int | None = None


_EVENT_TYPES = (
    Started,
    Progress,
    PhaseFinished,
    Checked,
    Measured,
    ViewRead,
    StudyRead,
    Witnessed,
    Warned,
    Failed,
    Done,
)
_EVENTS: dict[str, type[Event]] = {e.name: e for e in _EVENT_TYPES}


def parse_event(line: str) -> Event | None:
    """The event on a line of the worker's stdout, or ``None`` for a line that is not an event."""
    try:
        fields = json.loads(line)
        return _EVENTS[fields.pop("event")](**fields)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
