"""The AWS that runs on this machine: MiniStack, and what it takes for a deploy to be a real one.

The controller (this package's modules) runs in the project's environment and starts the emulator (`emulator/`), which
runs in an environment of its own, because MiniStack pins botocore exactly.
"""

from strandline.local_cloud.cloud import CloudStatus, LocalCloud, default_home, default_port

__all__ = ["CloudStatus", "LocalCloud", "default_home", "default_port"]
