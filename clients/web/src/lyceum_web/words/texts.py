"""The one catalogue of texts: each in English and in Chinese. `{name}` is a gap that the page fills."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Text(NamedTuple):
    """A text of a page in both languages."""

    en: str
    zh: str


TEXTS: Final[Mapping[str, Text]] = {
    # -- every page
    "brand": Text("Lyceum", "Lyceum 知识社群"),
    "skip": Text("Skip to the content", "跳到正文"),
    "language": Text("Language", "语言"),
    "log_out": Text("Log out", "退出登录"),
    "role.admin": Text("Logged in as administrator.", "已登录：管理员。"),
    "role.auditor": Text("Logged in as auditor.", "已登录：审计员。"),
    "role.importer": Text("Logged in as importer.", "已登录：导入员。"),
    "role.creator": Text("Logged in as creator.", "已登录：创作者。"),
    "role.consumer": Text("Logged in as member.", "已登录：会员。"),
    "separator": Text("; ", "；"),
    # -- log-in
    "log_in.title": Text("Log in", "登录"),
    "log_in.username": Text("User name", "用户名"),
    "log_in.password": Text("Password", "密码"),
    "log_in.button": Text("Log in", "登录"),
    "log_in.wrong": Text("The user name or the password is wrong.", "用户名或密码错误。"),
    "log_in.incomplete": Text("Enter a user name and a password.", "请输入用户名和密码。"),
    "logged_out.title": Text("You are logged out", "您已退出登录"),
    "logged_out.done": Text("Your session in this browser has ended.", "您在此浏览器中的会话已结束。"),
    "logged_out.half": Text(
        "This browser has forgotten your session. The platform could not be told; its record ends by itself.",
        "此浏览器已清除您的会话。暂时无法通知平台，平台上的会话记录会自行到期。",
    ),
    "to_log_in": Text("Log in again", "重新登录"),
    "to_dashboard": Text("To the dashboard", "返回仪表盘"),
    # -- refusals, each with a title and a sentence
    "refused.title": Text("This did not work", "操作未完成"),
    "refused.not_found": Text("There is no page at this address.", "此地址没有页面。"),
    "refused.method": Text("This address does not take such a request.", "此地址不接受该请求。"),
    "refused.forbidden": Text("Your account may not see this.", "您的账号无权查看此内容。"),
    "refused.stale_form": Text(
        "The form was out of date or did not come from this site. Open the page again and repeat what you did.",
        "表单已过期，或并非来自本站。请重新打开页面再试。",
    ),
    "refused.bad_form": Text("The form could not be read.", "无法读取表单。"),
    "refused.bad_choice": Text("The choice for “{field}” cannot be used.", "“{field}”的取值无效。"),
    "refused.too_large": Text("The request is too large.", "请求过大。"),
    "refused.late": Text("The answer took too long. Try again in a moment.", "响应超时，请稍后再试。"),
    "refused.busy": Text(
        "Too many people are asking at the same time. Try again in {seconds} seconds.",
        "当前访问人数过多，请在 {seconds} 秒后再试。",
    ),
    "refused.limited": Text(
        "There were too many attempts. Try again in {seconds} seconds.", "尝试次数过多，请在 {seconds} 秒后再试。"
    ),
    "refused.unreachable": Text(
        "The platform does not answer at the moment. Nothing is lost; try again in a moment.",
        "平台暂时没有响应。数据不会丢失，请稍后再试。",
    ),
    "refused.failed": Text("Something went wrong on our side.", "系统出现错误。"),
    "refused.session_over": Text("Your session has ended. Log in again.", "您的会话已结束，请重新登录。"),
    "refused.reference": Text("Reference: {reference}", "编号：{reference}"),
    # -- what can be wrong with one panel
    "trouble.unreachable": Text(
        "The platform does not answer for these figures at the moment.", "平台暂时无法提供这些数据。"
    ),
    "trouble.late": Text("These figures did not arrive in time.", "这些数据未能及时返回。"),
    "trouble.limited": Text(
        "Too many questions were asked. Try again in {seconds} seconds.", "查询过于频繁，请在 {seconds} 秒后再试。"
    ),
    "trouble.forbidden": Text("Your account may not see these figures.", "您的账号无权查看这些数据。"),
    "trouble.not_served": Text("The platform does not serve these figures for you.", "平台没有为您提供这些数据。"),
    "trouble.refused": Text("The platform refused the question: {field}.", "平台拒绝了该查询：{field}。"),
    "trouble.failed": Text("The platform failed at these figures.", "平台计算这些数据时出错。"),
    "trouble.unexpected": Text("The platform gave an answer that cannot be read.", "平台返回了无法识别的数据。"),
    # -- dashboard
    "dashboard.title": Text("Dashboard", "仪表盘"),
    "dashboard.own": Text("Your own figures.", "您的数据。"),
    "dashboard.all": Text("Figures of the whole community.", "整个社群的数据。"),
    "choose.title": Text("What the figures look at", "统计范围"),
    "choose.days": Text("Days", "天数"),
    "choose.as_of": Text("Up to the end of this day", "截至当天结束"),
    "choose.as_of_note": Text(
        "Empty: today. Days are those of the platform’s time zone.", "留空表示今天。日期以平台时区为准。"
    ),
    "choose.currency": Text("Currency", "货币"),
    "choose.button": Text("Show", "显示"),
    "contents": Text("On this page", "本页内容"),
    "told.definition": Text("Definition", "定义"),
    "told.window": Text("Window", "统计窗口"),
    "told.window_days": Text("{first} to {last} (number of days: {days})", "{first} 至 {last}，共 {days} 天"),
    "told.zone": Text("Time zone of the days", "日期所用时区"),
    "told.as_of": Text("As of", "截至"),
    "told.whole_day": Text("{day}, the whole day", "{day}（全天）"),
    "told.fresh": Text("Data last changed", "数据最近变动"),
    "told.fresh_none": Text("nothing has arrived yet", "尚无数据"),
    "too_little": Text("Not enough data yet.", "数据尚不足。"),
    "missing": Text("not enough data yet", "数据不足"),
    "export.csv": Text("Table as CSV", "下载表格（CSV）"),
    "export.png": Text("Chart as PNG", "下载图表（PNG）"),
    "chart.table_has_all": Text("The table below has all figures of the chart.", "下方表格包含图表中的全部数据。"),
    "col.figure": Text("Figure", "指标"),
    "col.value": Text("Value", "数值"),
    "col.share": Text("Share", "占比"),
    "col.window_days": Text("Window, days", "窗口（天）"),
    "col.interactions": Text("Interactions", "互动次数"),
    # -- kinds of interaction
    "kind.view": Text("Views", "浏览"),
    "kind.like": Text("Likes", "点赞"),
    "kind.comment": Text("Comments", "评论"),
    "kind.share": Text("Shares", "分享"),
    "kind.rate": Text("Ratings", "评分"),
    "kind.complete": Text("Completions", "完成学习"),
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
