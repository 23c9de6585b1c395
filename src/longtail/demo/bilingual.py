"""A fabricated bookshop whose catalogue is half Chinese and half English.

Readers choose by topic and read both languages, so a book of the other language is often the right
recommendation. Chinese and English texts share no letters: only an encoder that was trained on both
languages can see that two books have the same topic before anybody has read them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from longtail.demo.drawing import draw_items, times
from longtail.demo.movielens import write

CHINESE, ENGLISH = "zh", "en"
# Nouns of each topic.
TOPICS = {
    "cooking": {
        ENGLISH: ("bread", "soup", "noodles", "vegetables", "cakes", "spices", "home cooking"),
        CHINESE: ("面包", "汤", "面条", "蔬菜", "蛋糕", "香料", "家常菜"),
    },
    "gardening": {
        ENGLISH: ("roses", "fruit trees", "herbs", "lawns", "balcony plants", "seeds", "orchids"),
        CHINESE: ("玫瑰", "果树", "香草", "草坪", "阳台植物", "种子", "兰花"),
    },
    "astronomy": {
        ENGLISH: ("planets", "stars", "black holes", "the moon", "telescopes", "galaxies", "Mars"),
        CHINESE: ("行星", "恒星", "黑洞", "月球", "望远镜", "银河系", "火星"),
    },
    "music": {
        ENGLISH: ("the piano", "the violin", "opera", "jazz", "songs", "the guitar", "composers"),
        CHINESE: ("钢琴", "小提琴", "歌剧", "爵士乐", "歌曲", "吉他", "作曲家"),
    },
    "history": {
        ENGLISH: (
            "empires",
            "ancient Rome",
            "kings",
            "wars",
            "the Silk Road",
            "dynasties",
            "Egypt",
        ),
        CHINESE: ("帝国", "古罗马", "国王", "战争", "丝绸之路", "王朝", "埃及"),
    },
    "medicine": {
        ENGLISH: ("the heart", "sleep", "the brain", "vaccines", "surgery", "nutrition", "doctors"),
        CHINESE: ("心脏", "睡眠", "大脑", "疫苗", "手术", "营养", "医生"),
    },
    "money": {
        ENGLISH: ("shares", "banks", "savings", "taxes", "companies", "prices", "the economy"),
        CHINESE: ("股票", "银行", "储蓄", "税收", "公司", "价格", "经济"),
    },
    "animals": {
        ENGLISH: ("dogs", "cats", "horses", "whales", "birds", "bees", "wolves"),
        CHINESE: ("狗", "猫", "马", "鲸鱼", "鸟类", "蜜蜂", "狼"),
    },
}
TITLES = {
    ENGLISH: ("A book of {}", "All about {}", "{}: an introduction", "The secrets of {}"),
    CHINESE: ("{}入门", "{}的秘密", "认识{}", "{}大全"),
}
SENTENCES = {
    ENGLISH: "What everyone should know about {} and {}.",
    CHINESE: "关于{}和{}的入门知识。",
}


def fabricate(
    n_readers: int = 400, n_books: int = 320, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return interactions and items in the two-file layout.

    A tenth of the books appear in the last sixth of the period.
    """
    random = np.random.default_rng(seed)
    topic = np.arange(n_books) % len(TOPICS)
    born = np.where(random.random(n_books) < 0.1, random.uniform(0.84, 0.95, n_books), 0.0)
    popularity = (1.0 + random.permutation(n_books)) ** -0.6
    tastes = random.dirichlet(np.full(len(TOPICS), 0.2), n_readers)
    readers = np.repeat(np.arange(n_readers), 5 + random.geometric(0.1, n_readers))
    moments = random.random(len(readers))
    weights = popularity * tastes[readers][:, topic] * (born <= moments[:, None]) + 1e-9
    books = draw_items(weights, random)
    interactions = pd.DataFrame(
        {
            "user_id": [f"r{reader:03}" for reader in readers],
            "item_id": [f"b{book:03}" for book in books],
            "event_type": "purchase",
            "rating": "",
            "timestamp": times(moments),
        }
    )
    return interactions, _catalogue(topic, random)


def _catalogue(topic: np.ndarray, random: np.random.Generator) -> pd.DataFrame:
    """Return the books; the first of each topic is English, the second Chinese, and so on."""
    names = list(TOPICS)
    rows = []
    for book, name in enumerate(names[one] for one in topic):
        language = (ENGLISH, CHINESE)[book // len(TOPICS) % 2]
        first, second, third = random.choice(TOPICS[name][language], 3, replace=False)
        title = str(random.choice(TITLES[language])).format(first)
        rows.append((f"b{book:03}", title, SENTENCES[language].format(second, third)))
    books = pd.DataFrame(rows, columns=["item_id", "title", "description"])
    return books.assign(categories="", brand="", price="")


def write_data(folder: Path, seed: int = 0) -> None:
    """Write ``interactions.csv`` and ``items.csv`` of the bookshop into a folder."""
    write(folder, *fabricate(seed=seed))
