from app.sandbox.server.request_weights import RequestWeights


def test_weight_adds_up_within_a_minute_and_starts_from_zero_with_the_next():
    budget = RequestWeights(limit=10)
    assert budget.charge(6, now_s=61.0) is None
    assert budget.charge(4, now_s=119.0) is None
    assert budget.used == 10
    assert budget.charge(1, now_s=120.0) is None
    assert budget.used == 1


def test_beyond_the_limit_the_answer_is_429_and_the_rest_of_the_minute():
    budget = RequestWeights(limit=10)
    budget.charge(10, now_s=60.0)
    assert budget.charge(1, now_s=90.0) == (429, 31)


def test_ignoring_the_warnings_is_banned_and_the_ban_outlasts_the_minute():
    budget = RequestWeights(limit=1)
    answers = [budget.charge(1, now_s=60.0) for _ in range(12)]
    assert [answer and answer[0] for answer in answers] == [None, *[429] * 10, 418]
    assert budget.charge(1, now_s=150.0) == (418, 31)
    assert budget.charge(1, now_s=181.0) is None
