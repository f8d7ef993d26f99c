"""Rotation: a new value of a secret, live, with nothing lost.

kinds              which rotation a variable has
rotate             what people type: the steps, by the staging labels
minted             what rotations of keys that nobody types have alike
own_keys           the gateway's own keys
agent_keys         what the gateway mints for agents
database_password  what RDS makes
versions           the three staging labels of Secrets Manager, and the moves between them
verifiers          asks what a key opens whether it opens it
uses, consumers    who names a secret, and who used which version
gateway_tasks      new tasks of the gateway
steps, revocation  a rotation to its end, as it is told to a person
options, audit     what a person is asked, and what is kept of it
"""

DATABASE_PASSWORD = "DATABASE_PASSWORD"  # noqa: S105 - a name
"""What the database's password is called here; RDS keeps it in a secret of its own."""
