import pytest
@pytest.mark.parametrize("n", range(20))
async def test_a(evening, n):
    p = await evening.pay()
    await evening.settle()
