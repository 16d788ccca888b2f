"""Between Apply and the start of the worker: what is missing is installed, what is too much is asked about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slicer.i18n import tr as _

from calid.options import Options

from .. import Host
from .Parameters import Phases, optionsOf
from .Services import PanelServices
from .State import Plan


@dataclass(frozen=True)
class Ready:
    """What the worker is started with.

    :param options: what was chosen, and what the preflight made of it.
    :param notes: sentences for the user.
    """

    options: Options
    notes: list[str]


class Preparation:
    """Questions before a run, each asked once and none while it runs; ``None`` stands for one that was declined.

    ``report`` is the ``DeviceReport`` of the device that was found, ``None`` before anybody looked. ``say`` is called
    with what takes long.
    """

    def __init__(self, services: PanelServices) -> None:
        self._services = services
        self.report: Any = None
        self.say: Callable[[str], None] = lambda text: None

    def look(self, wanted: str) -> Any:
        """Find the device; takes seconds.

        :param wanted: as in :class:`calid.options.Options`.
        :raises CalidError: if it cannot be used.
        """
        self.report = self._services.findDevice(wanted)
        return self.report

    def detect(self, wanted: str) -> Any:
        """Find the device, after asking for what is missing to find one; ``None`` if that was declined.

        :raises CalidError: if something cannot be installed or there is no such device.
        """
        isReady = self._install()
        self.say("")  # nothing is prepared any more
        return self.look(wanted) if isReady else None

    def forSelfCheck(self, parameters: Any, understanding: Any) -> Ready | None:
        """Prepare a self-check with the chosen device and weights: every inner slice of one phase is predicted.

        :raises CalidError: if something cannot be installed or there is no such device.
        """
        models = self._services.models.modelsFolder()
        options = Options(seed=parameters.seed, device=parameters.device.value, models=models)
        stack = understanding.stack
        slices = len(stack.positions)
        return self._prepare(options, stack, phases=1, slicesOut=slices + max(slices - 2, 0))

    def forMeasurement(self, parameters: Any) -> Ready | None:
        """Prepare a measurement with the chosen device and weights; it takes little memory beside the images.

        :raises CalidError: if something cannot be installed or there is no such device.
        """
        if not self._install():
            return None
        self.look(parameters.device.value)
        return Ready(Options(device=parameters.device.value, models=self._services.models.modelsFolder()), [])

    def forReconstruction(self, parameters: Any, understanding: Any, plan: Plan) -> Ready | None:
        """Prepare a reconstruction with the chosen options, and with what the preflight changed.

        :raises CalidError: if something cannot be installed or there is no such device.
        """
        options = optionsOf(parameters, self._services.models.modelsFolder()).changed(spacing=plan.spacing)
        phases = phasesOf(parameters, understanding)
        return self._prepare(options, understanding.stack, phases, plan.slices)

    def _prepare(self, options: Options, stack: Any, phases: int, slicesOut: int) -> Ready | None:
        if not self._install():
            return None
        found = self.look(options.device)
        check = self._services.preflight(
            (phases, *stack.voxels.shape[1:]),
            slicesOut,
            stack.pixel_spacing,
            options,
            found,
            self._services.freeMemory(),
            self._services.freeDisk(),
        )
        if check.changes.get("device", found.device) != found.device:
            self._services.forgetDevices()  # its memory was short; the next run asks how much is free by then
        if check.question and not self._services.ask(check.question):
            return None
        return Ready(options.changed(**check.changes), check.lines)

    def _install(self) -> bool:
        question = self._services.dependencies.question()
        if question is None:
            return True
        if not self._services.ask(question):
            return False
        self.say(_("Installing; meanwhile the window may not respond ..."))
        Host.pause(0)  # so that it can be read
        self.report = self._services.dependencies.install()
        self.say(_("Preparing ..."))
        return True


def phasesOf(parameters: Any, understanding: Any) -> int:
    """How many phases would be reconstructed."""
    return understanding.phases if parameters.phases is Phases.ALL else 1
