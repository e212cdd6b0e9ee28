"""Texts of every page, of forms and refusals, and of what panels share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.words.text import Text

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
    "trouble.not_served": Text("The platform has no such figures for you yet.", "平台暂时没有您的这些数据。"),
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
    # -- columns of several panels
    "col.day": Text("Day", "日期"),
}
