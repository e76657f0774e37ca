"""What an instance says it waits for."""

from placet import Retry, Workflow
from placet.testing import Rehearsal


def test_one_that_is_fed_from_outside_says_where() -> None:
    mail = Workflow("mail")
    inbox, outbox = mail.place("inbox", external=True), mail.place("outbox", external=True)
    opened, handled = mail.places("opened handled")
    mail.transition((opened & inbox & outbox) >> handled, "handle", handler=lambda *_: None, run="inline")
    instance = Rehearsal(mail).spawn(mail, {opened: ["monday"]}, id="m")
    assert instance.explain() == "m is waiting: something is to come from outside, into inbox or outbox"


def test_one_whose_token_has_to_lie_there_longer_says_so() -> None:
    orders = Workflow("orders")
    sent, reminded = orders.places("sent reminded")
    orders.transition(sent >> reminded, "remind", delay_s=3600)
    rehearsal = Rehearsal(orders)
    instance = rehearsal.spawn(orders, {sent: [1, 2]}, id="o")
    assert instance.explain() == "o is waiting: 2 tokens delayed"
    rehearsal.advance(3600)
    assert instance.explain() == "o is completed"


def test_one_that_is_to_try_again_says_what() -> None:
    orders = Workflow("orders")
    received, sent = orders.places("received sent")

    @orders.transition(received >> sent, retry=Retry(attempts=2, first_s=60))
    def send(_order: object) -> None:
        raise ConnectionError("not now")

    rehearsal = Rehearsal(orders)
    instance = rehearsal.spawn(orders, {received: [1]}, id="o")
    rehearsal.run()
    assert instance.explain() == "o is waiting: send failed, to be tried again later"
