"""Texts of the panels about members: how many, how active, how long they stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.words.text import Text

TEXTS: Final[Mapping[str, Text]] = {
    # -- overview
    "overview.title": Text("Overview", "概况"),
    "overview.about": Text(
        "How much there is of everything, up to and including the chosen day.", "截至所选日期（含当天）的总量。"
    ),
    "overview.chart": Text("Counted interactions by kind", "各类互动次数"),
    "overview.members": Text("Members", "会员数"),
    "overview.contents": Text("Published contents", "已发布内容"),
    "overview.interactions": Text("Interactions, all kinds", "互动总数"),
    "overview.orders_placed": Text("Orders placed", "下单数"),
    "overview.orders_paid": Text("Orders paid", "已支付订单"),
    "overview.empty": Text("Nobody has registered yet.", "还没有会员注册。"),
    # -- activity
    "activity.title": Text("Activity", "活跃度"),
    "activity.about": Text(
        "Counted interactions in the window, divided by all members; then by days. Weighted: a comment counts more "
        "than a view.",
        "窗口内的互动次数除以会员总数，再除以天数。加权：评论比浏览权重更高。",
    ),
    "activity.chart": Text("Interactions per member and day, by window", "各窗口的人均日互动次数"),
    "activity.per_day": Text("Interactions per member and day", "人均日互动次数"),
    "activity.per_member": Text("Interactions per member", "人均互动次数"),
    "activity.weighted": Text("Weighted, per member", "人均加权互动"),
    "activity.members": Text("Members", "会员数"),
    "activity.empty": Text("There is no member yet, so there is nobody to divide by.", "还没有会员，无法计算人均值。"),
    # -- retention
    "retention.title": Text("Retention", "留存"),
    "retention.about": Text(
        "The chance that a member who is active on a day is active again t days later, if each day keeps the share p "
        "of the members of the day before: L(t) = p^t.",
        "某天活跃的会员在 t 天后仍活跃的概率。假设每天保留前一天会员的比例为 p：L(t) = p^t。",
    ),
    "retention.chart": Text("Retention L(t) by days t", "t 天后的留存 L(t)"),
    "retention.p": Text("p, kept from one day to the next", "次日留存率 p"),
    "retention.exposed": Text("Active days with a next day to look at", "可观察次日的活跃人日"),
    "retention.survived": Text("Of them active on the next day too", "其中次日仍活跃"),
    "retention.after": Text("L({days})", "L({days})"),
    "retention.l": Text("L(t)", "L(t)"),
    "retention.t": Text("t, days", "t（天）"),
    "retention.empty": Text(
        "No member has an active day whose next day is over yet.", "还没有会员的活跃日之后已过完一整天。"
    ),
    # -- trend
    "trend.title": Text("Active members by day", "每日活跃会员"),
    "trend.about": Text(
        "Who was active each day, and whether new, back again, or there the day before.",
        "每天有哪些会员活跃：新增、回流，还是前一天也活跃。",
    ),
    "trend.chart": Text("Members active on the day, and within 7 and 30 days", "当日、7 日内与 30 日内活跃会员"),
    "trend.active": Text("Active", "活跃"),
    "trend.new_members": Text("New", "新增"),
    "trend.returning": Text("Active the day before, too", "前一天也活跃"),
    "trend.resurrecting": Text("Back again", "回流"),
    "trend.dormant": Text("No longer active", "转为沉默"),
    "trend.interactions": Text("Interactions", "互动次数"),
    "trend.frequency": Text("Interactions per active member", "活跃会员人均互动"),
    "trend.weekly_active": Text("Active within 7 days", "7 日内活跃"),
    "trend.monthly_active": Text("Active within 30 days", "30 日内活跃"),
    "trend.active_now": Text("Active on the last day", "最后一天活跃"),
    "trend.weekly_active_now": Text("Active within the last 7 days", "最近 7 日活跃"),
    "trend.monthly_active_now": Text("Active within the last 30 days", "最近 30 日活跃"),
    "trend.stickiness": Text("Stickiness, active of a day / of 30 days", "黏性（日活跃／30 日活跃）"),
    "trend.empty": Text("Nobody was active in these days yet.", "这些天还没有活跃会员。"),
    # -- cohorts
    "cohorts.title": Text("Cohorts", "同期群留存"),
    "cohorts.about": Text(
        "Members by the week of their first activity, and which share of them is active in the weeks after. "
        "Weeks that are not over are left out.",
        "按首次活跃的周分组，以及之后各周仍活跃的比例。尚未结束的周不计入。",
    ),
    "cohorts.chart": Text("Share active, by week of the start and weeks since", "各周同期群的活跃比例"),
    "cohorts.cohort": Text("Week of the start", "起始周"),
    "cohorts.members": Text("Members", "会员数"),
    "cohorts.week": Text("Week {week}", "第 {week} 周"),
    "cohorts.weeks": Text("Weeks since the start", "起始后的周数"),
    "cohorts.after": Text("Active in week {week}", "第 {week} 周活跃"),
    "cohorts.empty": Text("Nobody has begun in these weeks.", "这些周还没有新的活跃会员。"),
    # -- learning and money of cohorts
    "worth.title": Text("Learning and money of cohorts", "同期群的学习与付费"),
    "worth.about": Text(
        "All cohorts together: of those whose week is over, who was active, who completed a content, who "
        "paid, and how much.",
        "所有同期群合计：在已结束的周内，多少会员活跃、完成学习、付费，以及付费金额。",
    ),
    "worth.chart": Text(
        "Active, learning and paying members by weeks since the start", "起始后各周的活跃、学习与付费会员"
    ),
    "worth.week": Text("Weeks since the start", "起始后的周数"),
    "worth.eligible": Text("Members whose week is over", "该周已结束的会员"),
    "worth.retained": Text("Active", "活跃"),
    "worth.learners": Text("Completed a content", "完成学习"),
    "worth.payers": Text("Paid", "付费"),
    "worth.revenue": Text("Revenue", "收入"),
    "worth.per_member": Text("Revenue per member so far", "人均累计收入"),
    "worth.learning": Text("Completed a content in their first week", "首周完成学习"),
    "worth.paying": Text("Paid in their first week", "首周付费"),
    "worth.value": Text("Revenue per member in {weeks} weeks", "{weeks} 周人均收入"),
    "worth.empty": Text("No week of a cohort is over yet.", "还没有同期群的完整一周。"),
    # -- survival
    "survival.title": Text("How long members stay", "会员能留多久"),
    "survival.about": Text(
        "Which share of a group was active after so many weeks, or later, and what three models expect. The "
        "one that erred least on the past is named.",
        "一组会员在若干周后仍活跃的比例，以及三种模型的预测；标出对过去预测误差最小的模型。",
    ),
    "survival.chart": Text("Share left by weeks, observed and projected", "各周留存比例：实际与预测"),
    "survival.week": Text("Weeks", "周数"),
    "survival.observed": Text("Observed", "实际"),
    "survival.pt": Text("Constant rate p^t", "固定留存率 p^t"),
    "survival.sbg": Text("Shifted beta-geometric", "移位贝塔几何（sBG）"),
    "survival.bdw": Text("Beta-discrete-Weibull", "贝塔离散韦布尔（BdW）"),
    "survival.low": Text("Low end of 90%", "90% 区间下限"),
    "survival.high": Text("High end of 90%", "90% 区间上限"),
    "survival.members": Text("Members observed", "观察的会员"),
    "survival.chosen": Text("Model with the least error", "误差最小的模型"),
    "survival.error": Text("Error of {model}", "{model} 的误差"),
    "survival.empty": Text("Too few members have been there for so many weeks.", "观察满若干周的会员还太少。"),
    # -- calibration
    "calibration.title": Text("Does the probability of activity hold?", "活跃概率是否可靠"),
    "calibration.about": Text(
        "What was predicted in the past weeks, from what was known then, and what came.",
        "过去各周基于当时数据的预测，与实际结果对比。",
    ),
    "calibration.chart": Text("Predicted and observed share of active members", "预测与实际的活跃比例"),
    "calibration.from": Text("Predicted from", "预测概率下限"),
    "calibration.to": Text("to", "上限"),
    "calibration.situations": Text("Situations", "样本数"),
    "calibration.predicted": Text("Predicted, mean", "平均预测"),
    "calibration.observed": Text("Observed", "实际"),
    "calibration.brier": Text("Brier score (0 is perfect)", "布莱尔分数（0 为完美）"),
    "calibration.base": Text("Brier score of the mean share", "以平均比例预测的布莱尔分数"),
    "calibration.empty": Text("There are no members in the past weeks yet.", "过去各周还没有会员。"),
    # -- own activity, own retention
    "own_activity.title": Text("Your activity", "您的活跃度"),
    "own_activity.about": Text("Your own counted interactions per day.", "您每天的平均互动次数。"),
    "own_activity.chart": Text("Your interactions per day, by window", "各窗口的日均互动次数"),
    "own_activity.rate": Text("Interactions per day", "日均互动次数"),
    "own_activity.empty": Text("You have no counted interaction in these windows yet.", "这些窗口内您还没有互动记录。"),
    "own_retention.title": Text("Your retention score", "您的留存评分"),
    "own_retention.about": Text(
        "A weighted sum of your interactions per week before and in the last week. It is a score, not a probability; "
        "the probability beside it is estimated from members in the same situation.",
        "您此前每周与最近一周互动次数的加权和。它是评分，不是概率；旁边的概率由处境相同的会员估计得出。",
    ),
    "own_retention.chart": Text("Chance that you are active in the next 7 days", "您未来 7 天活跃的概率"),
    "own_retention.score": Text("Score", "评分"),
    "own_retention.history": Text("Interactions per week, 4 weeks before", "此前 4 周的每周互动次数"),
    "own_retention.current": Text("Interactions in the last week", "最近一周的互动次数"),
    "own_retention.probability": Text("Chance of activity in the next 7 days", "未来 7 天活跃的概率"),
    "own_retention.support": Text("Situations that the chance rests on", "概率所依据的样本数"),
    "own_retention.empty": Text(
        "No member has been in your situation long enough yet to estimate a chance.",
        "目前还没有足够的同类样本来估计概率。",
    ),
}
