"""An SMTP server of aiosmtpd on loopback: prints its port, takes mail until standard input closes,
then prints what it took, in JSON. Arguments: none, starttls or implicit; certificate; key.
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

USER, PASSWORD = b"ufficio", b"segreto"
taken = []


class Handler:
    async def handle_DATA(self, server, session, envelope):
        taken.append(
            {
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "options": envelope.mail_options,
                "utf8": bool(envelope.smtp_utf8),
                "content": envelope.original_content.decode("latin-1"),
                "tls": session.ssl is not None,
                "signed_in": session.authenticated,
            }
        )
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = data.login == USER and data.password == PASSWORD
    return AuthResult(success=good)


async def main():
    mode, certificate, key = sys.argv[1:4]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    def session():
        return SMTP(
            Handler(),
            hostname="relay.example.it",
            enable_SMTPUTF8=True,
            data_size_limit=200_000,
            tls_context=context if mode == "starttls" else None,
            require_starttls=mode == "starttls",
            auth_required=True,
            auth_require_tls=mode == "starttls",
            authenticator=authenticate,
        )

    loop = asyncio.get_running_loop()
    implicit = context if mode == "implicit" else None
    server = await loop.create_server(session, "127.0.0.1", 0, ssl=implicit)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(json.dumps(taken), flush=True)
    server.close()


asyncio.run(main())
