"""The public address's certificate is looked at where real money is taken, and told before it ends."""

from dataclasses import replace
from pathlib import Path

from kaunta.core.runtime import Runtime
from kaunta.deploy.certificate_watch import watch_certificate
from kaunta.settings import Mode
from tests.deploy.test_readiness import answering, issue


async def test_a_certificate_that_ends_soon_is_told_until_it_is_renewed(tmp_path: Path, rt: Runtime) -> None:
    open_now = "select detail ->> 'reason' from problems where kind = 'public_certificate' and closed_at is null"
    issued = issue(tmp_path, rt.clock.now(), 20)
    async with answering(issued) as port:
        here = {"mode": Mode.PRODUCTION, "public_url": f"https://127.0.0.1:{port}"}
        watched = replace(rt, settings=rt.settings.model_copy(update=here))
        await watch_certificate(rt, issued.trust)
        assert await rt.db.fetchval(open_now) is None, "where no real money is taken nobody looks"
        for _ in range(2):
            await watch_certificate(watched, issued.trust)
        assert "good for 20 days" in await rt.db.fetchval(open_now)
    await watch_certificate(watched, issued.trust)
    assert await rt.db.fetchval(open_now) is not None, "no connection says nothing about it"
    renewed = issue(tmp_path, rt.clock.now(), 90)
    async with answering(renewed) as port:
        here["public_url"] = f"https://127.0.0.1:{port}"
        watched = replace(rt, settings=rt.settings.model_copy(update=here))
        await watch_certificate(watched, renewed.trust)
        assert await rt.db.fetchval(open_now) is None
        await watch_certificate(watched)
        assert "not believed" in await rt.db.fetchval(open_now)
