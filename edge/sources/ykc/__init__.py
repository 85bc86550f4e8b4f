"""云快充 (YKC) V1.6: the node as the platform that charging piles of this protocol log in to.

From the published text 充电桩与云快充服务平台交互协议 V1.6. `frame`, `fields`, `messages`, `answers`, `faults`, `readings` and `conversation` are pure; `server`
talks to the network.
"""
