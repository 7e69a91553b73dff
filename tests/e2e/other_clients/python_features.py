"""The python-socketio client at client/features_server.cpp: python_features.py URL TRANSPORTS

Goes through what every client needs, and prints what came of it as one JSON object; bytes are written in hex.
"""

import asyncio
import json
import sys

import socketio

TIMEOUT = 30


def hexed(value):
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return [hexed(one) for one in value]
    if isinstance(value, dict):
        return {key: hexed(one) for key, one in value.items()}
    return value


async def main(url, transports):
    client = socketio.AsyncClient(reconnection=False)
    came = {}

    def coming(event, namespace='/'):
        """A future for the arguments of the next such event."""
        future = asyncio.get_running_loop().create_future()

        @client.on(event, namespace=namespace)
        async def handler(*args):
            if not future.done():
                future.set_result(list(args))
        return asyncio.wait_for(future, TIMEOUT)

    async def call(event, *args, namespace='/'):
        return await client.call(event, args if len(args) != 1 else args[0], namespace=namespace, timeout=TIMEOUT)

    @client.on('question')
    async def on_question(*args):
        return args

    @client.on('number')
    async def on_number(number):
        return number + 10

    made = coming('one more', '/number-python')
    await client.connect(url, namespaces=['/', '/a', '/number-python'], transports=transports, wait_timeout=TIMEOUT)
    came['mirrored'] = await call('mirror', {'x': 1, 'y': 2.5}, namespace='/a')
    came['echoed'] = await call('echo', 1, 'zwei €', {'three': [None, False]})
    came['reversed'] = await call('reverse', bytes([1, 2, 3]), namespace='/number-python')
    gift = coming('gift')
    await client.emit('give', 'mixed')
    came['mixed'] = await gift
    back = coming('back', '/a')
    await client.emit('back', (bytes([255, 0]), {'bytes': bytes([7])}), namespace='/a')
    came['back'] = await back
    came['asked'] = [await call('ask me', 1, bytes([2]), {'three': 3}), await call('ask me from afar')]
    await call('join', 'a room of python')
    told = coming('told')
    await client.emit('tell', ('a room of python', 'to the room'))
    came['told'] = await told
    came['made'] = (await made)[0]
    came['transport'] = client.transport()
    gone = coming('disconnect')
    await client.emit('leave us')
    await gone
    await client.disconnect()
    came['gone'] = True

    refused = socketio.AsyncClient(reconnection=False)
    why = asyncio.get_running_loop().create_future()

    @refused.on('connect_error', namespace='/no')
    async def on_refused(data):
        why.set_result(data)
    await refused.connect(url, namespaces=['/no'], transports=transports, wait=False)
    came['refused'] = await asyncio.wait_for(why, TIMEOUT)
    await refused.disconnect()
    print(json.dumps(hexed(came)))


asyncio.run(main(sys.argv[1], sys.argv[2].split(',')))
