"""What the page of training data says: key -> (Japanese, English). `drop_REASON` says why a pair was set aside."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["DATA"]

DATA: Mapping[str, tuple[str, str]] = {
    "nav_data": ("学習データ", "Data"),
    "data_title": ("学習データから外した組", "Pairs set aside"),
    "data_text": (
        "点検で外れた原稿と公表文の組です。外すべきでないものは、理由を残して戻せます。",
        "Drafts and comments that the checks set aside. What should not have been can be taken back, with a reason.",
    ),
    "data_none_yet": (
        "学習データはまだ作られていません（tensaku run）。",
        "No training data has been made yet (tensaku run).",
    ),
    "data_nothing": ("外した組はありません。", "No pair was set aside."),
    "data_reason": ("外した理由", "Reason"),
    "data_pool": ("データ", "Data"),
    "data_no_fund": ("ファンド不明", "No fund"),
    "data_before": ("前へ", "Previous"),
    "data_after": ("次へ", "Next"),
    "data_pick": ("左の一覧から選んでください。", "Choose one from the list."),
    "data_partner": ("代わりに残した組の公表文", "Final of the pair that stays"),
    "data_state_kept": ("次回から残す", "Kept from now on"),
    "data_state_left": ("外した", "Set aside"),
    "data_kept_mark": ("戻した", "taken back"),
    "data_decide": ("判断", "Decision"),
    "data_take_back": ("学習データに戻す理由", "Why it should be taken back"),
    "data_leave_again": ("やはり外す理由", "Why it should be left out after all"),
    "data_note_hint": (
        "例: 相場の見方が変わった月で、文言は近いが別の内容",
        "For example: close in wording, but another view of the market",
    ),
    "data_hint": (
        "名前と日時とともに記録され、次に学習データを作るとき（tensaku run）に反映されます。いまのモデルは変わりません。",
        "Recorded with your name and the time. It counts when the data is next made (tensaku run); today's model does not change.",
    ),
    "data_do_kept": ("学習データに戻す", "Take it back"),
    "data_do_left": ("やはり外す", "Leave it out"),
    "data_history": ("これまでの判断", "Decided so far"),
    "data_silent": ("まだ判断はありません。", "Nothing yet."),
    "data_said_kept": ("戻す", "Taken back"),
    "data_said_left": ("外す", "Left out"),
    "data_not_yours": ("判断できるのは開発の担当者です（developer）。", "A developer decides this."),
    "data_fault_final": (
        "この理由で外した組は戻せません。試験に出る文、または本文の欠けた組です。",
        "A pair set aside for this reason cannot be taken back: an exam asks it, or a text is missing.",
    ),
    "data_fault_pool": (
        "新しい学習データができています。ページを読み込み直して、もう一度お試しください。",
        "The data has been made anew. Load the page again and try once more.",
    ),
    "data_told_kept": ("記録しました。次に作る学習データに残ります。", "Recorded. The next data keeps this pair."),
    "data_told_left": (
        "記録しました。次に作る学習データからも外れます。",
        "Recorded. The next data leaves this pair out.",
    ),
    # reasons
    "drop_lost-characters": ("文字化けで失われた文字がある", "Characters were lost"),
    "drop_empty-draft": ("原稿がない", "No draft"),
    "drop_empty-final": ("公表文がない", "No final"),
    "drop_too-long": ("長すぎる", "Too long"),
    "drop_identical-sides": ("原稿と公表文が同じ", "Draft and final are the same"),
    "drop_duplicate": ("同じ組がすでにある", "The same pair is there already"),
    "drop_contradictory-twin": ("同じ原稿に別の公表文がある", "The same draft has another final"),
    "drop_contradiction-for-people": ("公表文が食い違う（要判断）", "Finals contradict: to be decided"),
    "drop_duplicate-id": ("番号が重なっている", "The id is taken"),
    "drop_near-duplicate": ("ほぼ同じ組がすでにある", "A pair nearly the same is there already"),
    "drop_semantic-duplicate": ("同じ内容の組がすでにある", "A pair that says the same is there already"),
    "drop_contained": ("ほかの文にほとんど含まれる", "Most of it stands in others"),
    "drop_misaligned": ("原稿と公表文が対応していない", "Draft and final do not belong together"),
    "drop_swapped-finals": ("公表文が入れ違っている", "Finals have changed places"),
    "drop_swapped-sides": ("原稿と公表文が逆", "Draft and final are the wrong way round"),
    "drop_personal-data": ("個人情報がある", "Holds personal data"),
    "drop_draft-language": ("原稿の言語が違う", "The draft is in another language"),
    "drop_final-language": ("公表文の言語が違う", "The final is in another language"),
    "drop_draft-length": ("原稿の長さが範囲外", "Length of the draft"),
    "drop_final-length": ("公表文の長さが範囲外", "Length of the final"),
    "drop_length-ratio": ("長さが釣り合わない", "Lengths do not match"),
    "drop_in-exam": ("試験と重なる", "Overlaps with the exam"),
    "drop_blended-out": ("配分を超えた", "Beyond its share of the blend"),
    "drop_low-quality": ("公表文らしくない", "Does not read like a final"),
    "drop_unlikely-label": ("区分などの付け間違いの疑い", "The label is unlikely"),
    "drop_other-domain": ("対象外の話題", "Another subject"),
}
