"""Writes a bill of materials of an image: CycloneDX 1.6 JSON, from what is installed in it."""

from __future__ import annotations

from pathlib import Path

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from lyceum_images.errors import Unfit
from lyceum_images.found import Image
from lyceum_images.inventory import Part, parts
from lyceum_images.licences import licence, policy
from lyceum_tree import ROOT

FOLDER = Path("build/sbom")
SCHEMA = SchemaVersion.V1_6


def write(image: Image, version: str, root: Path = ROOT) -> Path:
    """Write the bill of one image to build/sbom/<name>.cdx.json and return the file. Raises NotBuilt, and Unfit for a
    bill that the schema refuses."""
    text = make_outputter(bill(image, version), OutputFormat.JSON, SCHEMA).output_as_string(indent=1)
    if refused := JsonStrictValidator(SCHEMA).validate_str(text):
        raise Unfit([f"the bill of {image.name} is not CycloneDX {SCHEMA.to_version()}: {refused}"])
    file = root / FOLDER / f"{image.name}.cdx.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n", encoding="utf-8")
    return file


def bill(image: Image, version: str) -> Bom:
    """The bill: the image, and each distribution in it with its package URL and its licence."""
    made = Bom()
    name = f"lyceum-{image.name}"
    whole = Component(type=ComponentType.CONTAINER, name=name, version=version, bom_ref=f"{name}@{version}")
    made.metadata.component = whole
    held = [_component(part) for part in parts(image, version)]
    made.components.update(held)
    made.register_dependency(whole, held)
    return made


def _component(part: Part) -> Component:
    known = "" if part.ours else licence(part, policy())
    space = "debian" if part.kind == "deb" else None
    url = PackageURL(type=part.kind, namespace=space, name=part.name, version=part.version)
    return Component(
        type=ComponentType.LIBRARY,
        name=part.name,
        version=part.version,
        purl=url,
        bom_ref=url.to_string(),
        licenses=[LicenseFactory().make_from_string(known)] if known else [],
    )
