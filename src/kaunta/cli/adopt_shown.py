"""A move as people and programs read it: table by table, question by question, difference by difference."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kaunta.adopt.plan import Plan


def object_of(plan: "Plan") -> dict[str, Any]:
    """For `--json`. Rows are named by their ids; nobody's name, phone or secret is in it."""
    from kaunta.adopt.decisions import OPTIONS, QUESTIONS
    from kaunta.adopt.plan import BECOMES, NOWHERE

    return {
        "generation": plan.shape.generation,
        "features": plan.shape.features,
        "tables": [
            {"table": table, "rows": rows, "becomes": BECOMES.get(table, NOWHERE)} for table, rows in plan.rows.items()
        ],
        "made": dict(plan.made),
        "questions": [
            {
                "topic": each.topic,
                "question": QUESTIONS[each.topic],
                "cases": each.cases,
                "bars": len(each.bars),
                "undecided": len(each.undecided),
                "options": dict(OPTIONS[each.topic]),
                "examples": each.examples,
            }
            for each in plan.asked.questions.values()
        ],
        "differences": [
            {
                "why": why,
                "cases": total.cases,
                "effect": str(total.effect),
                "examples": [{"subject": str(each.subject), "note": each.note} for each in total.examples],
            }
            for why, total in plan.sums.items()
        ],
        "owed_before": str(plan.owed_before),
        "owed_after": plan.owed_after,
        "turned_off": [str(bar) for bar in plan.turned_off],
        "turned_on": [str(bar) for bar in plan.turned_on],
        "unreadable": [{"bar_id": str(bar), "cause": cause} for bar, cause in plan.without_secrets],
        "owners": sum(member.role == "owner" for member in plan.members),
    }


def lines_of(plan: "Plan", *, done: bool) -> list[str]:
    from kaunta.adopt.amounts import SENTENCES
    from kaunta.adopt.decisions import OPTIONS, QUESTIONS
    from kaunta.adopt.plan import BECOMES, NOWHERE

    lines = [f"generation {plan.shape.generation}: {', '.join(plan.shape.features)}", ""]
    for table, rows in plan.rows.items():
        lines.append(f"{table:<26}{rows:>9,}  {BECOMES.get(table, NOWHERE)}")
    lines += ["", "moved" if done else "would make"]
    lines += [f"  {table:<24}{rows:>9,}" for table, rows in plan.made.items()]
    if plan.asked.questions:
        lines += ["", "decided" if not plan.asked.undecided else "to decide"]
    for each in plan.asked.questions.values():
        state = f"undecided at {len(each.undecided)} bars" if each.undecided else "decided"
        lines.append(f"  {QUESTIONS[each.topic]} {each.cases} cases at {len(each.bars)} bars, {state}")
        if each.undecided:
            lines += [f"    --decide {each.topic}={option}: {said}" for option, said in OPTIONS[each.topic].items()]
            lines.append(f"    for example {', '.join(each.examples)}")
    lines += ["", f"owed on all tabs: {plan.owed_before:,} before, {plan.owed_after:,} after"]
    for why, total in plan.sums.items():
        lines.append(f"  {total.effect:>+14,.2f}  {SENTENCES[why]}: {total.cases}")
        lines += [f"      {each.subject}  {each.note}" for each in total.examples]
    for said, bars in (("off", plan.turned_off), ("on", plan.turned_on)):
        if bars:
            lines.append(
                f"M-Pesa goes {said} at {len(bars)} bars, as their credentials say: {', '.join(map(str, bars[:5]))}"
            )
    if plan.without_secrets:
        lines.append("credentials kept as they are, switched off:")
        lines += [f"  {bar}  {cause}" for bar, cause in plan.without_secrets[:20]]
    if any(cause == "legacy_key_missing" for _, cause in plan.without_secrets):
        lines.append("MPESA_KMS_KEY or MPESA_ENCRYPTION_KEY is not set: what needs it counts as not to be read")
    owners = sum(member.role == "owner" for member in plan.members)
    lines.append(f"{owners} owners: look at them, anybody could make themselves one in the old product")
    if done:
        lines.append("done; `kaunta db adopt --undo` puts everything back, until the first new payment")
    return lines
