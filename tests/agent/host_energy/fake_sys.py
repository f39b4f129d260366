"""Folders as the kernel shows them: powercap zones and sensors, written as files."""

from pathlib import Path

# Of a Xeon: 2^32 units of 61 uJ, and of its memory 2^32 units of 15.3 uJ.
PACKAGE_RANGE_UJ = 262_143_328_850
DRAM_RANGE_UJ = 65_712_999_613


class FakeSys:
    """A tree below *root*, as /sys is."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def zone(self, entry: str, name: str, energy_uj: int, *, range_uj: int = PACKAGE_RANGE_UJ) -> Path:
        """Make a powercap zone; give its folder."""
        return self._files(
            f"class/powercap/{entry}",
            name=name,
            energy_uj=str(energy_uj),
            max_energy_range_uj=str(range_uj),
            enabled="1",
        )

    def xeon(self, sockets: int = 2) -> None:
        """Make the zones of a server: packages with their cores and memory, and the platform."""
        self._files("class/powercap/intel-rapl", enabled="1")
        for number in range(sockets):
            zone = f"intel-rapl:{number}"
            self.zone(zone, f"package-{number}", 1_000_000 + number)
            self.zone(f"{zone}:0", "core", 7)
            self.zone(f"{zone}:1", "dram", 2_000_000 + number, range_uj=DRAM_RANGE_UJ)
        self.zone(f"intel-rapl:{sockets}", "psys", 9_000_000)

    def chip(self, number: int, name: str, **files: str) -> Path:
        """Make a sensor chip; give its folder."""
        return self._files(f"class/hwmon/hwmon{number}", name=name, **files)

    def acpi_meter(self, number: int, microwatts: int, oem_info: str = "", *, battery: str = "0") -> Path:
        """Make an ACPI power meter, whose values stand in the folder of its device; give that."""
        self.chip(number, "power_meter")
        return self._files(
            f"class/hwmon/hwmon{number}/device",
            power1_average=str(microwatts),
            power1_average_interval="1000",
            power1_is_battery=battery,
            power1_oem_info=oem_info,
        )

    def _files(self, folder: str, **files: str) -> Path:
        path = self.root / folder
        path.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (path / name).write_text(content + "\n")
        return path
