# mypy: disable-error-code="import-not-found"

"""The migration of the gateway's database: one task of its own, before any server of the new version starts.

    python3 -c "$SOURCE"

The source of this file is the command line of the migration's container, so that a change of routing migrates nothing.
It applies LiteLLM's own migrations as the database's administrator, then gives the servers' role what they need and no
more: they sign in with IAM tokens, and change no table.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

ROOT_CERTIFICATE = "STRANDLINE_DATABASE_ROOT"
_ROLE = re.compile(r"[a-z][a-z0-9_]{0,62}")
_MIGRATE = ("--skip_server_startup", "--enforce_prisma_migration_check", "--use_v2_migration_resolver")
_GRANT_SECONDS = 120
_EXIT_CODE = 4

# `rds_iam` lets a role sign in with tokens, and with nothing else (RDS, "IAM database authentication"). Only what
# the administrator owns can be granted: not the views, which the first server makes for itself.
_GRANTS = """
DO $do$
DECLARE name text;
BEGIN
  IF to_regclass('public."LiteLLM_VerificationToken"') IS NULL THEN
    RAISE EXCEPTION 'the migrations have made no tables';
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
    CREATE ROLE {role} LOGIN;
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_iam') THEN
    GRANT rds_iam TO {role};
  END IF;
  GRANT USAGE, CREATE ON SCHEMA public TO {role};
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user LOOP
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON public.%I TO {role}', name);
  END LOOP;
  FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' AND sequenceowner = current_user LOOP
    EXECUTE format('GRANT USAGE, SELECT, UPDATE ON SEQUENCE public.%I TO {role}', name);
  END LOOP;
END $do$;
"""


def main() -> None:
    """Migrates and grants; whatever fails ends the process with another code than 0."""
    role = os.environ["GATEWAY_ROLE"]
    if not _ROLE.fullmatch(role):
        _fail("GATEWAY_ROLE is no name of a role")
    os.environ["HOME"] = tempfile.gettempdir()
    _keep_root_certificate()
    _migrate()
    _grant(role)
    print("migrated", flush=True)


def _keep_root_certificate() -> None:
    """Puts the certificate where LiteLLM wants it, which then verifies the database's name and chain."""
    certificate = os.environ.get(ROOT_CERTIFICATE)
    if certificate:
        path = Path(tempfile.gettempdir(), "database-root.pem")
        path.write_text(certificate, encoding="ascii")
        os.environ["DATABASE_SSLROOTCERT"] = str(path)


def _migrate() -> None:
    """Applies what is pending; LiteLLM makes the address of the database from its parts."""
    from litellm_proxy_extras.prisma_toolchain import prisma_cli_available

    # LiteLLM would tell of it and go on.
    if not prisma_cli_available():
        _fail("this image has no Prisma, which applies the migrations")
    from litellm.proxy.proxy_cli import run_server

    run_server(_MIGRATE, standalone_mode=False)


def _grant(role: str) -> None:
    import litellm_proxy_extras
    from litellm_proxy_extras.prisma_toolchain import resolve_prisma_argv

    schema = Path(litellm_proxy_extras.__file__).with_name("schema.prisma")
    command = resolve_prisma_argv(("prisma", "db", "execute", "--stdin", "--schema", str(schema)))
    done = subprocess.run(command, input=_GRANTS.format(role=role), text=True, check=False, timeout=_GRANT_SECONDS)
    if done.returncode:
        _fail("the grants failed")


def _fail(reason: str) -> NoReturn:
    print(f"migration failed: {reason}", file=sys.stderr, flush=True)
    sys.exit(_EXIT_CODE)


if __name__ == "__main__":
    main()
