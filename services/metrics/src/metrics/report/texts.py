"""The report's words, in Chinese and English. Definitions come with the figures, in English."""

from __future__ import annotations

from typing import Final, Literal

Language = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")

_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "title": ("Report for {month}", "{month} 月度报告"),
    "of_creator": ("Creator {creator}", "创作者 {creator}"),
    "of_all": ("The whole platform", "全平台"),
    "days": ("{first} to {last}, days of {zone}", "{first} 至 {last},时区 {zone}"),
    "as_of": ("Made at {at}; facts folded up to {applied}", "生成于 {at};数据截至 {applied}"),
    "nothing_folded": ("nothing yet", "尚无数据"),
    "still_lasts": ("The month still lasts: its figures will grow.", "本月尚未结束,数字仍会增长。"),
    "activity": ("Activity", "活跃"),
    "retention": ("Retention", "留存"),
    "survival": ("Retention forecast", "留存预测"),
    "revenue": ("Revenue", "收入"),
    "funnel": ("From view to completion", "转化漏斗"),
    "attribution": ("What led to views and orders", "来源归因"),
    "quality": ("Content quality", "内容质量"),
    "nothing": ("There is not enough data yet.", "数据还不够。"),
    "day": ("Day", "日期"),
    "active": ("Active", "活跃"),
    "new": ("New", "新增"),
    "returning": ("Returning", "连续活跃"),
    "resurrecting": ("Back again", "回流"),
    "dormant": ("Gone quiet", "沉默"),
    "interactions": ("Interactions", "互动"),
    "stickiness": ("Stickiness", "黏性"),
    "mean_daily": ("Active members a day, on average", "日均活跃成员"),
    "monthly": ("Active members within 30 days", "30 日活跃成员"),
    "cohort": ("Cohort", "群组"),
    "members": ("Members", "成员"),
    "week": ("Week {n}", "第 {n} 周"),
    "interval": ("Interval", "周期"),
    "observed": ("Observed", "实际"),
    "chosen": ("Model with the least error", "误差最小的模型"),
    "panel": ("Members observed", "观察成员"),
    "orders": ("Orders", "订单"),
    "payers": ("Payers", "付费成员"),
    "gross": ("Gross", "原价"),
    "discount": ("Discount", "优惠"),
    "charged": ("Charged", "实收"),
    "commission": ("Commission", "平台佣金"),
    "net": ("Net", "净收入"),
    "step": ("Step", "步骤"),
    "viewed": ("Viewed", "浏览"),
    "quoted": ("Quoted", "下单"),
    "paid": ("Paid", "付费"),
    "completed": ("Completed", "完成"),
    "pairs": ("Members x contents", "成员×内容"),
    "share": ("Of the first step", "占首步"),
    "slot": ("Slot", "推荐位"),
    "no_slot": ("(no recommendation)", "(非推荐)"),
    "shown": ("Shown", "展示"),
    "opened": ("Opened", "打开"),
    "content": ("Content", "内容"),
    "viewers": ("Viewers", "浏览成员"),
    "completion": ("Completion", "完成率"),
    "ratings": ("Ratings", "评分数"),
    "rating": ("Rating", "评分"),
    "definition": ("How it is computed", "计算方法"),
}


def text(key: str, language: Language, **values: object) -> str:
    """A text with its values. Raises KeyError for one that is not there."""
    return _TEXTS[key][LANGUAGES.index(language)].format(**values)
