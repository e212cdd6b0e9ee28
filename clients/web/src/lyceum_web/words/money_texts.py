"""Texts of the panels about money and content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.words.text import Text

TEXTS: Final[Mapping[str, Text]] = {
    # -- revenue
    "revenue.title": Text("Revenue", "收入"),
    "revenue.about": Text(
        "R = N * C * P: members, mean spend of those who paid, share of members who paid. So R is what was paid.",
        "R = N * C * P：会员数、付费会员的人均消费、付费会员占比。因此 R 即实付总额。",
    ),
    "revenue.chart": Text("Revenue by window", "各窗口的收入"),
    "revenue.r": Text("R, revenue", "收入 R"),
    "revenue.n": Text("N, members", "会员数 N"),
    "revenue.c": Text("C, mean spend of a payer", "付费会员人均消费 C"),
    "revenue.p": Text("P, conversion", "转化率 P"),
    "revenue.payers": Text("Members who paid", "付费会员数"),
    "revenue.window": Text("Window", "窗口"),
    "revenue.last_days": Text("last {days} days", "最近 {days} 天"),
    "revenue.since_beginning": Text("since the first order", "自首单起"),
    "revenue.empty": Text("Nobody has paid in this currency in these windows yet.", "这些窗口内还没有该货币的付费。"),
    # -- earnings
    "earnings.title": Text("What was earned", "收入明细"),
    "earnings.about": Text(
        "List prices less discounts is what members paid; of it the platform keeps its commission, and "
        "creators get the rest.",
        "原价减优惠为实付；平台收取佣金，其余归创作者。",
    ),
    "earnings.chart": Text("Charged, and net for creators", "实付与创作者净收入"),
    "earnings.period": Text("Day or month", "日期或月份"),
    "earnings.orders": Text("Orders", "订单数"),
    "earnings.payers": Text("Members who paid", "付费会员数"),
    "earnings.gross": Text("Gross", "原价"),
    "earnings.discount": Text("Discount", "优惠"),
    "earnings.charged": Text("Charged", "实付"),
    "earnings.commission": Text("Commission", "平台佣金"),
    "earnings.net": Text("Net for creators", "创作者净收入"),
    "earnings.arpu": Text("Charged per member", "人均收入"),
    "earnings.arppu": Text("Charged per payer", "付费会员人均收入"),
    "earnings.empty": Text("Nothing was paid in this currency in this time yet.", "此期间还没有该货币的付费。"),
    # -- outlook
    "outlook.title": Text("Revenue to come", "收入预测"),
    "outlook.about": Text(
        "The last window, taken for the next one: R = N * C * P, with the interval in which it lies 9 times "
        "of 10 if nothing changes. Below: how such forecasts did before.",
        "以最近窗口预测下一窗口：R = N * C * P，并给出若情况不变十次中九次落入的区间。下方是以往预测的表现。",
    ),
    "outlook.chart": Text("Forecast and what came, by window", "各窗口的预测与实际"),
    "outlook.coming": Text("Revenue in the next window", "下一窗口的收入"),
    "outlook.first_day": Text("First day", "首日"),
    "outlook.last_day": Text("Last day", "末日"),
    "outlook.forecast": Text("Forecast", "预测"),
    "outlook.low": Text("Low end of 90%", "90% 区间下限"),
    "outlook.high": Text("High end of 90%", "90% 区间上限"),
    "outlook.came": Text("What came", "实际"),
    "outlook.coverage": Text("Intervals that held what came", "区间命中率"),
    "outlook.error": Text("Mean error", "平均误差"),
    "outlook.empty": Text("Nothing was earned in this currency yet.", "该货币还没有收入。"),
    # -- buying
    "buying.title": Text("What buyers will buy", "付费会员的未来消费"),
    "buying.about": Text(
        "Expected of the coming weeks from when and how much each member bought, counting in who has probably"
        " left. Below: the last weeks, forecast from what came before.",
        "根据每位会员的购买时间与金额预测未来数周，并考虑可能已流失的会员。下方以更早的数据回测最近数周。",
    ),
    "buying.chart": Text("Revenue of the last weeks: what came, and what was expected", "最近数周收入：实际与预测"),
    "buying.what": Text("Last weeks", "最近数周"),
    "buying.came": Text("What came", "实际"),
    "buying.expected": Text("Expected", "预测"),
    "buying.naive": Text("Mean spend times frequency", "人均消费×频率"),
    "buying.purchases": Text("Repeat purchases", "复购次数"),
    "buying.revenue": Text("Revenue", "收入"),
    "buying.buyers": Text("Members who have bought", "购买过的会员"),
    "buying.expected_purchases": Text("Repeat purchases expected", "预期复购次数"),
    "buying.expected_revenue": Text("Revenue expected", "预期收入"),
    "buying.naive_revenue": Text("By mean spend times frequency", "按人均消费×频率"),
    "buying.value": Text("Value of a buyer", "每位买家的价值"),
    "buying.empty": Text("Too few members have bought more than once.", "复购的会员还太少。"),
    # -- funnel
    "funnel.title": Text("From view to completion", "转化漏斗"),
    "funnel.about": Text(
        "Members and paid contents: first viewed in the window, then ordered, paid and completed, in this order.",
        "会员与付费内容：窗口内首次浏览，随后依次下单、付费、完成学习。",
    ),
    "funnel.chart": Text("Members x contents at each step", "各步骤的会员×内容数"),
    "funnel.step": Text("Step", "步骤"),
    "funnel.pairs": Text("Members x contents", "会员×内容"),
    "funnel.members": Text("Members", "会员数"),
    "funnel.from_previous": Text("Of the step before", "占上一步"),
    "funnel.from_first": Text("Of the first step", "占第一步"),
    "funnel.viewed": Text("Viewed", "浏览"),
    "funnel.quoted": Text("Ordered", "下单"),
    "funnel.paid": Text("Paid", "付费"),
    "funnel.completed": Text("Completed", "完成学习"),
    "funnel.open": Text("May still come further", "仍可能继续"),
    "funnel.empty": Text(
        "Nobody has viewed paid content for the first time in this window.", "此窗口内还没有会员首次浏览付费内容。"
    ),
    # -- slots
    "slots.title": Text("What recommendations led to", "推荐带来的效果"),
    "slots.about": Text(
        "First views and orders, owed to the last recommendation of the content within 7 days before.",
        "首次浏览与订单，归因于之前 7 天内对该内容的最后一次推荐。",
    ),
    "slots.chart": Text("Opened and paid, by slot", "各推荐位的打开与付费"),
    "slots.slot": Text("Slot", "推荐位"),
    "slots.method": Text("Method", "方法"),
    "slots.shown": Text("Shown", "展示"),
    "slots.opened": Text("Opened", "打开"),
    "slots.paid": Text("Paid", "付费"),
    "slots.charged": Text("Charged", "实付"),
    "slots.none": Text("No recommendation", "非推荐"),
    "slots.opened_share": Text("Opened after a recommendation", "经推荐打开的占比"),
    "slots.paid_share": Text("Paid after a recommendation", "经推荐付费的占比"),
    "slots.empty": Text("Nothing was shown, opened or paid in this window.", "此窗口内没有展示、打开或付费。"),
    # -- promotions
    "promotions.title": Text("Promotions", "促销"),
    "promotions.about": Text("Paid orders by the promotion that they used.", "按所用促销统计的已支付订单。"),
    "promotions.promotion": Text("Promotion", "促销"),
    "promotions.none": Text("Without promotion", "无促销"),
    "promotions.paid": Text("Orders", "订单数"),
    "promotions.payers": Text("Members", "会员数"),
    "promotions.charged": Text("Charged", "实付"),
    "promotions.discount": Text("Taken off", "优惠金额"),
    "promotions.share": Text("Orders with a promotion", "使用促销的订单占比"),
    "promotions.empty": Text("Nothing was paid in this currency in this window.", "此窗口内没有该货币的付费。"),
    # -- quality
    "quality.title": Text("Content quality", "内容质量"),
    "quality.about": Text(
        "Who completed what they began, and ratings that a few votes cannot carry away: each content counts "
        "as if it had some ratings at the mean besides its own.",
        "完成学习的比例，以及不会被少数评分左右的评分：每个内容都额外计入若干个平均分。",
    ),
    "quality.chart": Text("Bayesian rating", "贝叶斯评分"),
    "quality.content": Text("Content", "内容"),
    "quality.viewers": Text("Viewers", "浏览会员"),
    "quality.completed": Text("Completed", "完成"),
    "quality.completion": Text("Completion", "完成率"),
    "quality.ratings": Text("Ratings", "评分数"),
    "quality.mean": Text("Mean rating", "平均评分"),
    "quality.bayesian": Text("Bayesian rating", "贝叶斯评分"),
    "quality.prior": Text("Mean of all ratings", "全部评分的平均"),
    "quality.weight": Text("Ratings that it counts as", "其计入的评分数"),
    "quality.empty": Text("Nobody has viewed or rated a content yet.", "还没有会员浏览或评分。"),
    # -- benchmark
    "benchmark.title": Text("What is usual on the platform", "平台一般水平"),
    "benchmark.about": Text(
        "Figures of all creators together, noised so that no single member can be told from them. The bounds hold the "
        "true value 95 times of 100.",
        "全部创作者的合计数据，已加入噪声，无法从中辨认任何会员。上下限有 95% 的把握包含真实值。",
    ),
    "benchmark.chart": Text("Usual figures with the bounds of their noise", "一般水平及其噪声范围"),
    "benchmark.value": Text("Noised value", "加噪值"),
    "benchmark.low": Text("Low bound", "下限"),
    "benchmark.high": Text("High bound", "上限"),
    "benchmark.active_members_per_creator": Text("Active members per creator", "每位创作者的活跃会员"),
    "benchmark.interactions_per_active_member": Text("Interactions per active member", "活跃会员人均互动"),
    "benchmark.conversion": Text("Conversion", "转化率"),
    "benchmark.mean_rating": Text("Mean rating", "平均评分"),
    "benchmark.under": Text("Not shown for fewer members than", "少于此数的会员不予显示"),
    "benchmark.empty": Text("Too few members stand behind these figures to show them.", "会员太少，不予显示。"),
    # -- privacy
    "privacy.title": Text("Privacy budget", "隐私预算"),
    "privacy.about": Text(
        "Each noised figure that leaves for others loses a little of members’ privacy. What may be lost in a month is "
        "bounded; when it is used up, nothing new is released.",
        "每次对外发布加噪数据都会损失少量会员隐私。每月可损失的总量有上限，用尽后不再发布新数据。",
    ),
    "privacy.chart": Text("Left of this period’s budget", "本期剩余预算"),
    "privacy.owner": Text("Whose", "归属"),
    "privacy.platform": Text("The platform", "平台"),
    "privacy.period": Text("Period", "周期"),
    "privacy.accounting": Text("Accounting", "计量方式"),
    "privacy.granted": Text("Granted", "总额"),
    "privacy.spent": Text("Spent", "已用"),
    "privacy.left": Text("Left", "剩余"),
    "privacy.left_share": Text("Left", "剩余比例"),
    "privacy.releases": Text("Releases", "发布次数"),
    "privacy.epsilon": Text("Spent, as epsilon", "已用（折合 epsilon）"),
    "privacy.delta": Text("at delta", "对应 delta"),
    "privacy.empty": Text("There is no budget.", "没有预算。"),
    # -- restated
    "restated.title": Text("Days that changed later", "事后变动的日期"),
    "restated.about": Text(
        "Events of a past day that were recorded on a later one: its figures had been shown without them.",
        "某天的事件在之后才被记录：此前展示的数据不含它们。",
    ),
    "restated.day": Text("Day", "日期"),
    "restated.seen_on": Text("Recorded on", "记录日期"),
    "restated.reason": Text("Reason", "原因"),
    "restated.import": Text("Imported", "导入"),
    "restated.late": Text("Came late", "延迟到达"),
    "restated.purchases": Text("Paid orders", "已支付订单"),
    "restated.days": Text("Days that changed", "变动的天数"),
    "restated.empty": Text("No day has changed.", "没有日期发生变动。"),
}
